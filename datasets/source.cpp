#include "datasets/source.h"

#include <array>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <utility>

#include "datasets/edgelist_source.h"
#include "datasets/kith_source.h"
#include "datasets/metis_source.h"
#include "datasets/mtx_source.h"
#include "datasets/npz_source.h"
#include "datasets/ogb_source.h"
#include "datasets/planetoid_source.h"
#include "graph/errors.h"

namespace kith {

namespace {

namespace fs = std::filesystem;
using NamedFormat = std::pair<std::string_view, SourceFormat>;

constexpr std::array<NamedFormat, 8> kFormats = {{{"auto", SourceFormat::automatic},
                                                  {"npz", SourceFormat::npz},
                                                  {"ogb", SourceFormat::ogb},
                                                  {"planetoid", SourceFormat::planetoid},
                                                  {"edgelist", SourceFormat::edgelist},
                                                  {"metis", SourceFormat::metis},
                                                  {"mtx", SourceFormat::mtx},
                                                  {"kith", SourceFormat::kith}}};

constexpr std::array<NamedFormat, 10> kSuffixes = {{{".npz", SourceFormat::npz},
                                                    {".kith.h5", SourceFormat::kith},
                                                    {".mtx", SourceFormat::mtx},
                                                    {".graph", SourceFormat::metis},
                                                    {".metis", SourceFormat::metis},
                                                    {".txt", SourceFormat::edgelist},
                                                    {".csv", SourceFormat::edgelist},
                                                    {".tsv", SourceFormat::edgelist},
                                                    {".el", SourceFormat::edgelist},
                                                    {".edges", SourceFormat::edgelist}}};

SourceFormat detect_folder(const std::string& path) {
  for (const char* name :
       {"raw/edge.csv.gz", "raw/edge.csv", "raw/num-node-list.csv.gz", "raw/num-node-list.csv"}) {
    if (fs::exists(fs::path(path) / name)) {
      return SourceFormat::ogb;
    }
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(path)) {
    if (entry.path().filename().string().starts_with("ind.")) {
      return SourceFormat::planetoid;
    }
  }
  throw IoError(
      concat(path, ": holds neither an OGB data set (raw/edge.csv.gz) nor a Planetoid one (ind.NAME.graph)"));
}

SourceFormat detect_by_content(const std::string& path) {
  std::string start(16, '\0');
  std::ifstream file(path, std::ios::binary);
  KITH_CHECK(file, IoError, path, ": cannot be opened");
  file.read(start.data(), static_cast<std::streamsize>(start.size()));
  start.resize(static_cast<std::size_t>(file.gcount()));
  if (start.starts_with("PK")) {
    return SourceFormat::npz;
  }
  if (start.starts_with("\x89HDF")) {
    return SourceFormat::kith;
  }
  if (start.starts_with("%%MatrixMarket")) {
    return SourceFormat::mtx;
  }
  const bool is_number = !start.empty() && std::isdigit(static_cast<unsigned char>(start[0])) != 0;
  KITH_CHECK(is_number || start.starts_with("#"), IoError, path,
             ": of no known format; name one of npz, ogb, planetoid, edgelist, metis, mtx, kith");
  return SourceFormat::edgelist;
}

SourceFormat detect(const std::string& path) {
  if (fs::is_directory(path)) {
    return detect_folder(path);
  }
  std::string name = fs::path(path).filename().string();
  if (name.starts_with("ind.")) {
    return SourceFormat::planetoid;
  }
  KITH_CHECK(fs::exists(path), IoError, path, ": no such file");
  if (name.ends_with(".gz")) {
    name.resize(name.size() - 3);
  }
  for (const auto& [suffix, format] : kSuffixes) {
    if (name.ends_with(suffix)) {
      return format;
    }
  }
  return detect_by_content(path);
}

}  // namespace

SourceFormat parse_source_format(std::string_view name) {
  for (const auto& [known, format] : kFormats) {
    if (known == name) {
      return format;
    }
  }
  throw InvalidArgument(
      concat("parse_source_format: expected auto, npz, ogb, planetoid, edgelist, metis, mtx or kith, "
             "got '",
             name, "'"));
}

std::unique_ptr<Source> open_source(const std::string& path, SourceFormat format) {
  try {
    switch (format == SourceFormat::automatic ? detect(path) : format) {
      case SourceFormat::npz:
        return open_npz_source(path);
      case SourceFormat::ogb:
        return open_ogb_source(path);
      case SourceFormat::planetoid:
        return open_planetoid_source(path);
      case SourceFormat::edgelist:
        return open_edgelist_source(path);
      case SourceFormat::metis:
        return open_metis_source(path);
      case SourceFormat::mtx:
        return open_mtx_source(path);
      case SourceFormat::kith:
        return open_kith_source(path);
      case SourceFormat::automatic:
        break;
    }
  } catch (const fs::filesystem_error& error) {
    throw IoError(concat(path, ": ", error.code().message()));
  }
  throw InvalidArgument(concat("open_source: no such format: ", static_cast<int>(format)));
}

}  // namespace kith
