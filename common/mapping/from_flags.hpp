#pragma once
// A mapping's options as flags of a verb: `tunnel-client expose` and `tunnelctl mapping add`.

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/result.hpp"
#include "common/mapping/mapping_options.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace tunnel {

struct MappingOption;

// CLI11 writes into it while it parses, so it does not move.
class MappingFlags {
  public:
    MappingFlags() = default;
    MappingFlags(const MappingFlags&) = delete;
    MappingFlags& operator=(const MappingFlags&) = delete;

    // Defines a flag for every option of the table. `service` is how the service is given: "--to", or the
    // name of a positional word; it is required. `tcp_too` is another name for --tcp, or empty.
    void add_to(CLI::App& verb, const std::string& service, const std::string& tcp_too = {});

    // What was given, under this name or, when it is empty, default_mapping_name(). Errors begin with the
    // flag: "--tcp: ...".
    Result<MappingOptions> read(std::string name) const;

  private:
    struct Given {
        const MappingOption* option;
        std::string flag;  // as people write it
        std::vector<std::string> texts;
        bool set = false;  // of the kinds on and off
    };
    std::deque<Given> given_;
};

}  // namespace tunnel
