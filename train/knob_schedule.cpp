#include "train/knob_schedule.h"

#include <array>
#include <charconv>
#include <cmath>

#include "graph/errors.h"

namespace kith {
namespace {

bool parse_number(std::string_view text, double& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && std::isfinite(value);
}

std::string shortest(double value) {
  std::array<char, 32> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

}  // namespace

Knob Knob::parse(std::string_view text, std::string_view option) {
  const std::size_t colon = text.find(':');
  Knob knob;
  const bool is_read = parse_number(text.substr(0, colon), knob.first) &&
                       (colon == std::string_view::npos || parse_number(text.substr(colon + 1), knob.last));
  KITH_CHECK(is_read, InvalidArgument, option,
             ": expected a number, or two for a schedule such as 0:0.5, got '", text, "'");
  if (colon == std::string_view::npos) knob.last = knob.first;
  return knob;
}

std::string Knob::name() const {
  return is_constant() ? shortest(first) : concat(shortest(first), ":", shortest(last));
}

double KnobSchedule::at(const Knob& knob, std::int32_t epoch) const {
  if (knob.is_constant()) return knob.first;
  if (epoch >= epochs - 1) return knob.last;
  if (shape == Shape::step) return 2 * std::int64_t{epoch} < epochs ? knob.first : knob.last;
  return std::lerp(knob.first, knob.last, static_cast<double>(epoch) / static_cast<double>(epochs - 1));
}

KnobSchedule::Shape parse_schedule_shape(std::string_view name) {
  if (name == "linear") return KnobSchedule::Shape::linear;
  KITH_CHECK(name == "step", InvalidArgument, "schedule: expected linear or step, got ", name);
  return KnobSchedule::Shape::step;
}

std::string_view name_of(KnobSchedule::Shape shape) {
  return shape == KnobSchedule::Shape::linear ? "linear" : "step";
}

}  // namespace kith
