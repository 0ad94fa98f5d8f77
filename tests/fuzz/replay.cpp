// Runs a fuzz target over files, with any compiler: TARGET_replay FILE-OR-FOLDER...
// An input that takes more than 10 seconds or 2 GiB fails as one that crashes does.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

// Read by AddressSanitizer, where the program is built with it. Too large a `new` ends the process; too large a
// malloc gives null, which the C libraries that we call turn into an error.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() {
  return "max_allocation_size_mb=2048:allocator_may_return_null=1";
}

namespace {

namespace fs = std::filesystem;

constexpr unsigned kSeconds = 10;
constexpr long kMaxKilobytes = 2 << 20;

std::vector<fs::path> files_of(const std::vector<std::string>& arguments) {
  std::vector<fs::path> files;
  for (const fs::path argument : arguments) {
    if (!fs::is_directory(argument)) files.push_back(argument);
    if (!fs::is_directory(argument)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(argument)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<fs::path> files = files_of({argv + 1, argv + argc});
  for (const fs::path& file : files) {
    std::printf("%s\n", file.c_str());
    std::fflush(stdout);  // a crash must not hide which input it was
    std::ifstream in(file, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    ::alarm(kSeconds);
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    ::alarm(0);
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    if (usage.ru_maxrss > kMaxKilobytes) kith::fuzz::report("more than 2 GiB of memory");
  }
  std::printf("%zu inputs\n", files.size());
  return files.empty() ? 1 : 0;
}
