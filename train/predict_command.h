// `kith predict`.
#pragma once

namespace CLI {
class App;
}

namespace kith {

/// Registers the command; it runs when the command line is parsed.
void add_predict_command(CLI::App& app);

}  // namespace kith
