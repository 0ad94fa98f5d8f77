#include "train/initialization.h"

#include <random>
#include <utility>
#include <vector>

namespace kith {

Parameter ParameterFactory::uniform(std::string name, std::int64_t rows, std::int64_t cols,
                                    double bound) const {
  // mt19937_64 and seed_seq are fixed by the standard to the bit; its distributions are not, so the draw to [0,
  // 1) is written out.
  std::vector<std::uint32_t> words = {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)};
  words.insert(words.end(), name.begin(), name.end());
  std::seed_seq sequence(words.begin(), words.end());
  std::mt19937_64 engine(sequence);
  std::vector<double> values(static_cast<std::size_t>(rows * cols));
  for (double& value : values) {
    const double unit = static_cast<double>(engine() >> 11) * 0x1p-53;
    value = bound * (2 * unit - 1);
  }
  Parameter parameter{std::move(name), backend.empty(rows, cols, scalar), backend.zeros(rows, cols, scalar)};
  backend.upload(values, parameter.value);
  return parameter;
}

}  // namespace kith
