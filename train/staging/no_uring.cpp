// Takes the place of uring_reader.cpp in a build without liburing.
#include "train/staging/file_reader.h"

namespace kith {

std::unique_ptr<FileReader> make_uring_reader(const std::string&, const FileReaderOptions&) { return nullptr; }

}  // namespace kith
