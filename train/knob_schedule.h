// The knobs over the epochs: constant, or on their way from one value to another.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kith {

/// What a user says of a knob: its value, or the two ends of its schedule.
struct Knob {
  double first = 0;
  double last = 0;

  /// "0.5", or "0:0.5" for a schedule. option: named in the message. Throws InvalidArgument for other text.
  static Knob parse(std::string_view text, std::string_view option);
  /// The shortest text that parse() reads as these very values.
  std::string name() const;
  bool is_constant() const { return first == last; }
};

/// When a knob takes which value.
struct KnobSchedule {
  enum class Shape : std::uint8_t {
    linear,  ///< the same change from each epoch to the next
    step,    ///< the first value while 2 * epoch < epochs, then the last
  };
  Shape shape = Shape::linear;
  std::int32_t epochs = 0;  ///< epoch 0 has the first value, epochs - 1 and later ones the last; 2 or more

  /// Example, epochs = 5: 0:1 is 0, 0.25, 0.5, 0.75, 1, 1, ... as `linear`, and 0, 0, 0, 1, 1, 1, ... as
  /// `step`.
  double at(const Knob& knob, std::int32_t epoch) const;
};

/// "linear" or "step". Throws InvalidArgument for another name.
KnobSchedule::Shape parse_schedule_shape(std::string_view name);
std::string_view name_of(KnobSchedule::Shape shape);

}  // namespace kith
