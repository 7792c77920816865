#include "common/mapping/option_table.hpp"

#include <algorithm>
#include <array>

#include "common/core/utf8.hpp"
#include "common/core/visitor_limits.hpp"
#include "common/mapping/group_option_table.hpp"
#include "common/mapping/unix_path.hpp"

namespace tunnel {

namespace {

using Kind = MappingOption::Kind;
using Role = MappingOption::Role;
using Texts = std::vector<std::string>;

// The value that `parse` makes of a text, into its place.
template <class T>
Status put(Result<T> value, T& out) {
    if (!value) return pass(std::move(value.error()));
    out = std::move(*value);
    return {};
}

// "5m", or "0" for none.
template <class Duration>
Status put_time(std::string_view text, Duration& out, Millis highest) {
    const auto time = text == "0" ? Result<Millis>(Millis(0)) : parse_duration(text);
    if (!time) return pass(time.error());
    const auto rounded = std::chrono::ceil<Duration>(*time);
    if (*time != Millis(0) && (*time < shortest_visit || rounded > highest))
        return fail(Errc::invalid, "\"{}\" is out of range: write {} to {}, or 0 for none", text,
                    format_duration(shortest_visit), format_duration(highest));
    out = rounded;
    return {};
}

std::string time_text(Millis time) {
    return time == Millis(0) ? "0" : format_duration(time);
}

Status put_flow_timeout(std::string_view text, Millis& out) {
    const auto time = parse_duration(text);
    if (!time) return pass(time.error());
    if (*time < shortest_flow_timeout || *time > longest_flow_timeout)
        return fail(Errc::invalid, "\"{}\" is out of range: write {} to {}", text,
                    format_duration(shortest_flow_timeout), format_duration(longest_flow_timeout));
    out = *time;
    return {};
}

Texts ports_of(const MappingOptions& options, Protocol protocol) {
    const auto& endpoint = options.endpoint;
    if (endpoint.is_unix() || endpoint.protocol != protocol) return {};
    return {ports_to_string(endpoint)};
}

template <std::size_t i>
MappingOption limit_option() {
    const auto& word = limit_words()[i];
    return {
        word.name,
        word.list ? Kind::list : Kind::number,
        Role::other,
        word.value,
        word.help,
        [](std::string_view text, MappingOptions& out) { return limit_words()[i].parse(text, out.visitors); },
        [](const MappingOptions& options) { return limit_words()[i].print(options.visitors); }};
}

Status take_proxy_version(std::string_view text, MappingOptions& out) {
    if (text != "v1" && text != "v2")
        return fail(Errc::invalid, "\"{}\" is not a version of the PROXY protocol: write v1 or v2", text);
    out.proxy_protocol = text == "v1" ? wire::ProxyVersion::v1 : wire::ProxyVersion::v2;
    return {};
}

Texts print_proxy_version(const MappingOptions& options) {
    if (!options.proxy_protocol) return {};
    return {*options.proxy_protocol == wire::ProxyVersion::v1 ? "v1" : "v2"};
}

Status take_proxy_network(std::string_view text, MappingOptions& out) {
    if (text == "unix") {
        out.accept_proxy_from_unix = true;
        return {};
    }
    auto network = parse_network(text);
    if (!network) return pass(std::move(network.error()));
    out.accept_proxy_from.push_back(*network);
    return {};
}

Texts print_proxy_networks(const MappingOptions& options) {
    Texts texts;
    if (options.accept_proxy_from_unix) texts.emplace_back("unix");
    for (const auto& network : options.accept_proxy_from) texts.push_back(to_string(network));
    return texts;
}

// A summary names no more values of a list than these.
constexpr std::size_t most_named = 3;

const std::array first_table{
    MappingOption{
        "tcp", Kind::number, Role::endpoint, "PORT",
        "Where visitors come: PORT, FIRST-LAST or ADDRESS:PORT at the server; 0 lets it choose a port",
        [](std::string_view text, MappingOptions& out) {
            return put(parse_public_ports(Protocol::tcp, text), out.endpoint);
        },
        [](const MappingOptions& options) { return ports_of(options, Protocol::tcp); }},
    MappingOption{"udp", Kind::number, Role::endpoint, "PORT", "The same for datagrams",
                  [](std::string_view text, MappingOptions& out) {
                      return put(parse_public_ports(Protocol::udp, text), out.endpoint);
                  },
                  [](const MappingOptions& options) { return ports_of(options, Protocol::udp); }},
    MappingOption{"unix", Kind::text, Role::endpoint, "PATH",
                  "The same as a Unix socket on the server's host, for a web server in front",
                  [](std::string_view text, MappingOptions& out) {
                      out.endpoint = {};
                      return put(parse_unix_path(text), out.endpoint.path);
                  },
                  [](const MappingOptions& options) {
                      return options.endpoint.is_unix() ? Texts{options.endpoint.path} : Texts{};
                  }},
    MappingOption{
        "to", Kind::text, Role::service, "HOST:PORT",
        "The service as the client's host reaches it: PORT, HOST:PORT, HOST:FIRST-LAST or unix:/PATH",
        [](std::string_view text, MappingOptions& out) { return put(parse_service(text), out.service); },
        [](const MappingOptions& options) { return Texts{to_string(options.service)}; }},
    MappingOption{
        "encrypt", Kind::on, Role::encrypt, "",
        "Send the bytes as they are; only for services that encrypt end to end themselves (SSH, HTTPS)",
        [](std::string_view text, MappingOptions& out) -> Status {
            out.encrypt = text == "true";
            return {};
        },
        [](const MappingOptions& options) { return Texts{options.encrypt ? "true" : "false"}; }},
    MappingOption{"idle_timeout", Kind::number, Role::other, "TIME",
                  "End a visitor's connection after this long without a byte; 0: never",
                  [](std::string_view text, MappingOptions& out) {
                      return put_time(text, out.times.idle_timeout, longest_visit);
                  },
                  [](const MappingOptions& options) { return Texts{time_text(options.times.idle_timeout)}; }},
    MappingOption{"lifetime", Kind::number, Role::other, "TIME",
                  "End a visitor's connection when it is this old; 0: never",
                  [](std::string_view text, MappingOptions& out) {
                      return put_time(text, out.times.lifetime, longest_visit);
                  },
                  [](const MappingOptions& options) { return Texts{time_text(options.times.lifetime)}; }},
    MappingOption{
        "keepalive", Kind::number, Role::other, "TIME",
        "Ask silent visitors and services after this long whether they are there (TCP keepalive); 0: never",
        [](std::string_view text, MappingOptions& out) {
            return put_time(text, out.keepalive, longest_keepalive);
        },
        [](const MappingOptions& options) { return Texts{time_text(options.keepalive)}; }},
    MappingOption{"transport", Kind::text, Role::other, "WAY",
                  "How datagrams travel between the ends: datagram, stream, or auto, which prefers the first",
                  [](std::string_view text, MappingOptions& out) {
                      return put(parse_datagram_transport(text), out.datagrams.transport);
                  },
                  [](const MappingOptions& options) {
                      return Texts{std::string(to_string(options.datagrams.transport))};
                  }},
    MappingOption{
        "flow_timeout", Kind::number, Role::other, "TIME",
        "Forget a visitor who has neither sent nor received a datagram for this long",
        [](std::string_view text, MappingOptions& out) {
            return put_flow_timeout(text, out.datagrams.flow_timeout);
        },
        [](const MappingOptions& options) { return Texts{format_duration(options.datagrams.flow_timeout)}; }},
    limit_option<0>(),
    limit_option<1>(),
    limit_option<2>(),
    limit_option<3>(),
    limit_option<4>(),
    limit_option<5>(),
    limit_option<6>(),
    limit_option<7>(),
    MappingOption{"proxy_protocol", Kind::text, Role::other, "VERSION",
                  "Tell the service who the visitor is by a PROXY header: v1 or v2", take_proxy_version,
                  print_proxy_version},
    MappingOption{"accept_proxy_from", Kind::list, Role::other, "NETWORK",
                  "Proxies in front, whose connections begin with a PROXY header: networks, or unix",
                  take_proxy_network, print_proxy_networks},
};
static_assert(limit_word_count == 8, "an option for each");

std::vector<MappingOption> whole_table() {
    std::vector<MappingOption> whole(first_table.begin(), first_table.end());
    const auto groups = group_option_table();
    whole.insert(whole.end(), groups.begin(), groups.end());
    return whole;
}

}  // namespace

std::span<const MappingOption> mapping_option_table() {
    static const auto whole = whole_table();
    return whole;
}

const MappingOption* find_mapping_option(std::string_view name) {
    const auto table = mapping_option_table();
    const auto found = std::find_if(table.begin(), table.end(),
                                    [name](const MappingOption& option) { return option.name == name; });
    return found == table.end() ? nullptr : &*found;
}

std::string flag_of(const MappingOption& option) {
    std::string name(option.name);
    std::replace(name.begin(), name.end(), '_', '-');
    return (option.kind == Kind::on ? "--no-" : "--") + name;
}

std::vector<std::string> given_values(const MappingOption& option, const MappingOptions& options) {
    auto values = option.print(options);
    return values == option.print(MappingOptions()) ? Texts{} : values;
}

std::string options_summary(const MappingOptions& options) {
    Texts parts;
    for (const auto& option : mapping_option_table()) {
        if (option.role != Role::other) continue;
        const auto values = given_values(option, options);
        for (std::size_t i = 0; i < std::min(values.size(), most_named); ++i)
            parts.push_back(fmt::format("{}={}", option.name, values[i]));
        if (values.size() > most_named)
            parts.push_back(fmt::format("{}=and {} more", option.name, values.size() - most_named));
    }
    return fmt::format("{}", fmt::join(parts, ","));
}

Status OptionReader::take(const MappingOption& option, std::string_view text) {
    if (!is_utf8(text)) return fail(Errc::invalid, "the value is not text in UTF-8: write it anew");
    if (option.role == Role::endpoint && endpoint_ != nullptr)
        return fail(Errc::invalid,
                    "a mapping has one public endpoint, and {} names one already: leave one out, or make two "
                    "mappings of it",
                    endpoint_->name);
    if (option.role == Role::endpoint) endpoint_ = &option;
    return option.parse(text, options_);
}

}  // namespace tunnel
