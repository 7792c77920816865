#pragma once
// The one table of a mapping's options. Config files, command lines, messages and views are driven from it.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/mapping/mapping_options.hpp"

namespace tunnel {

struct MappingOption {
    enum class Kind {
        text,    // name = "text"      --name TEXT
        number,  // name = 5 or "5s"   --name 5s
        on,      // name = false       --no-name      on by default
        off,     // name = true        --name         off by default
        list,    // name = ["a", "b"]  --name a --name b
    };
    // Where lists and details have a place of their own for it, and what excludes what.
    enum class Role { endpoint, service, encrypt, other };

    std::string_view name;  // in client.toml and in messages; on command lines with - for _
    Kind kind = Kind::text;
    Role role = Role::other;  // of those with the role endpoint a mapping has one
    std::string_view value;   // what help calls the value: "PORT"
    std::string_view help;
    // Takes one value ("true" or "false" of the kinds on and off) into the options. An error is a sentence
    // about the value.
    Status (*parse)(std::string_view text, MappingOptions& out);
    // The values in force, in the words that parse takes back: one, for a list any number; none when this
    // option does not apply.
    std::vector<std::string> (*print)(const MappingOptions& options);
};

std::span<const MappingOption> mapping_option_table();
// Null when there is none of that name.
const MappingOption* find_mapping_option(std::string_view name);

// "--idle-timeout", "--no-encrypt"
std::string flag_of(const MappingOption& option);
// print(), or nothing when it is what a mapping has by default.
std::vector<std::string> given_values(const MappingOption& option, const MappingOptions& options);
// For people, what is not by default and has no place of its own: "idle_timeout=5m,lifetime=1h".
std::string options_summary(const MappingOptions& options);

// Puts one mapping together out of options from any door.
class OptionReader {
  public:
    // Errors: the option's own, and a second public endpoint.
    Status take(const MappingOption& option, std::string_view text);
    MappingOptions& options() { return options_; }

  private:
    MappingOptions options_;
    const MappingOption* endpoint_ = nullptr;
};

}  // namespace tunnel
