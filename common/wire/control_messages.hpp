#pragma once
// The control connection's messages as plain structs. proto/control.proto holds the wire form and the meaning
// of each field; decode() checks every maximum, so that nothing beyond this file handles unbounded input.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "common/core/address.hpp"
#include "common/core/bytes.hpp"
#include "common/core/cipher.hpp"
#include "common/core/ids.hpp"
#include "common/core/result.hpp"
#include "common/wire/mapping_spec.hpp"

namespace tunnel::wire {

constexpr std::size_t max_frame_before_login = 4 * 1024;
constexpr std::size_t max_frame_to_server = 1024 * 1024;      // holds max_mappings with half a KiB of options
constexpr std::size_t max_frame_to_client = 4 * 1024 * 1024;  // the states of twice as many, with errors
constexpr std::size_t max_mappings = 1000;                    // of one session
constexpr std::size_t max_options_in_all = 20'000;            // of all mappings of one Declare
constexpr std::size_t max_services_in_all = 50'000;  // with their checks' options, of one MappingStates
constexpr std::size_t max_known_options = 200;       // named by a LoginAccepted
constexpr std::size_t max_sentence = 2048;           // bytes of an error, a reason or a goodbye's message
constexpr std::size_t proof_size = 32;
constexpr std::size_t max_ciphers = 32;         // in one Login, those of later versions among them
constexpr std::uint32_t max_dial_count = 4096;  // data connections asked for by one Dial

struct Login {
    std::string client;
    std::string slot;
    std::uint64_t instance = 0;
    Bytes proof;
    bool takeover = true;
    std::string software;
    std::vector<Cipher> ciphers = {};  // the best liked first; unknown ones are left out by decode()
    bool reuse = false;                // data connections, stream after stream
    bool operator==(const Login&) const = default;
};

struct LoginAccepted {
    SessionId session;
    std::string public_host;
    std::string software;
    std::vector<std::string> mapping_options{};  // that the server knows
    Cipher cipher = Cipher::aes_128_gcm;
    bool operator==(const LoginAccepted&) const = default;
};

struct Declare {
    std::vector<MappingSpec> mappings;
    bool operator==(const Declare&) const = default;
};

enum class MappingSource { client, admin };

struct MappingState {
    std::string name;
    MappingSource source = MappingSource::client;
    std::string service;
    Port port = 0;
    std::string public_address;
    bool encrypt = true;
    std::string state;  // "listening", "paused", "refused"
    std::string error_code;
    std::string error;
    std::string protocol{};
    std::string options{};
    std::vector<std::string> services{};
    std::vector<OptionText> checks{};
    bool operator==(const MappingState&) const = default;
};

struct MappingStates {
    std::vector<MappingState> mappings;
    bool operator==(const MappingStates&) const = default;
};

struct MappingObjection {
    std::string mapping;
    std::string reason;
    bool operator==(const MappingObjection&) const = default;
};

struct HealthReport {
    std::string mapping;
    std::string service;
    bool up = true;
    std::string reason{};
    bool operator==(const HealthReport&) const = default;
};

struct Dial {
    TicketNumber first_ticket;
    std::uint32_t count = 0;
    bool operator==(const Dial&) const = default;
};

struct DialFailed {
    TicketNumber ticket;
    std::string reason;
    bool operator==(const DialFailed&) const = default;
};

struct Ping {
    std::uint64_t nonce = 0;
    bool operator==(const Ping&) const = default;
};
struct Pong {
    std::uint64_t nonce = 0;
    bool operator==(const Pong&) const = default;
};

struct Goodbye {
    // The values are those of proto/control.proto.
    enum class Code {
        unspecified = 0,
        leaving = 1,
        restarting = 2,
        replaced = 3,
        refused = 4,
        occupied = 5,
        closed_by_admin = 6,
        revoked = 7,
        protocol_error = 8,
        overloaded = 9,
    };
    Code code = Code::unspecified;
    std::string message;
    bool operator==(const Goodbye&) const = default;
};

using ControlMessage = std::variant<Login, LoginAccepted, Declare, MappingStates, MappingObjection, Dial,
                                    DialFailed, Ping, Pong, Goodbye, HealthReport>;

// The message's name in words, for errors.
std::string_view name_of(const ControlMessage& message);

// Sentences longer than max_sentence are cut; every other field is the caller's to keep within its maximum.
Bytes encode(const ControlMessage& message);
// Errc::protocol: not a message, or a field beyond its maximum.
Result<ControlMessage> decode(BytesView payload);

}  // namespace tunnel::wire
