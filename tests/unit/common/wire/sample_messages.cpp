#include "tests/unit/common/wire/sample_messages.hpp"

namespace tunnel::wire {

namespace {

Port random_port(SeededRandom& random) {
    return static_cast<Port>(random.number());
}

MappingSpec random_spec(SeededRandom& random) {
    MappingSpec spec{random.text(max_text), random_port(random), random.text(max_service), random.coin(),
                     random_port(random)};
    spec.options.resize(random.below(4));
    for (auto& option : spec.options) option = {random.text(max_text), random.text(max_option_value)};
    return spec;
}

MappingState random_state(SeededRandom& random) {
    MappingState state{
        random.text(max_text),     random.coin() ? MappingSource::admin : MappingSource::client,
        random.text(max_service),  random_port(random),
        random.text(max_text),     random.coin(),
        random.text(max_text),     random.text(max_text),
        random.text(max_sentence), random.text(max_text),
        random.text(max_text)};
    state.services.resize(random.below(3));
    for (auto& service : state.services) service = random.text(max_service);
    state.checks.resize(random.below(3));
    for (auto& option : state.checks) option = {random.text(max_text), random.text(max_option_value)};
    return state;
}

Cipher random_cipher(SeededRandom& random) {
    return random.coin() ? Cipher::aes_128_gcm : Cipher::chacha20_poly1305;
}

std::vector<Cipher> random_ciphers(SeededRandom& random) {
    std::vector<Cipher> out(random.below(max_ciphers + 1));
    for (auto& cipher : out) cipher = random_cipher(random);
    return out;
}

// Mostly few, now and then as many as are allowed.
std::size_t random_count(std::size_t maximum, SeededRandom& random) {
    return random.below(50) == 0 ? maximum : random.below(10);
}

Declare random_declare(SeededRandom& random) {
    Declare out;
    out.mappings.resize(random_count(max_mappings, random));
    for (auto& spec : out.mappings) spec = random_spec(random);
    return out;
}

MappingStates random_states(SeededRandom& random) {
    MappingStates out;
    out.mappings.resize(random_count(2 * max_mappings, random));
    for (auto& state : out.mappings) state = random_state(random);
    return out;
}

}  // namespace

ControlMessage random_message(std::size_t kind, SeededRandom& random) {
    switch (kind) {
        case 0:
            return Login{random.text(max_text),  random.text(max_text),
                         random.number(),        random.bytes(random.below(proof_size + 1)),
                         random.coin(),          random.text(max_text),
                         random_ciphers(random), random.coin()};
        case 1:
            return LoginAccepted{SessionId{random.number()}, random.text(max_text), random.text(max_text),
                                 std::vector<std::string>(random.below(20), random.text(max_text)),
                                 random_cipher(random)};
        case 2:
            return random_declare(random);
        case 3:
            return random_states(random);
        case 4:
            return MappingObjection{random.text(max_text), random.text(max_sentence)};
        case 5:
            return Dial{TicketNumber{random.number()},
                        static_cast<std::uint32_t>(random.below(max_dial_count + 1))};
        case 6:
            return DialFailed{TicketNumber{random.number()}, random.text(max_sentence)};
        case 7:
            return Ping{random.number()};
        case 8:
            return Pong{random.number()};
        case 9:
            return Goodbye{static_cast<Goodbye::Code>(random.below(10)), random.text(max_sentence)};
        default:
            return HealthReport{random.text(max_text), random.text(max_service), random.below(2) == 0,
                                random.text(max_sentence)};
    }
}

std::vector<ControlMessage> one_of_each() {
    return {
        Login{"home",
              "",
              7,
              Bytes(proof_size, 0x5a),
              true,
              "tunnel-client 1.0.0",
              {Cipher::aes_128_gcm, Cipher::chacha20_poly1305}},
        LoginAccepted{SessionId{42}, "vps.example.com", "tunnel-server 1.0.0"},
        Declare{{{"ssh", 2222, "127.0.0.1:22", true, 0}}},
        MappingStates{{{"ssh", MappingSource::client, "127.0.0.1:22", 2222, "vps.example.com:2222", true,
                        "listening", "", ""}}},
        MappingObjection{"db", "db: 10.0.0.1:5432 is not in allow"},
        Dial{TicketNumber{1}, 4},
        DialFailed{TicketNumber{1}, "connection refused"},
        Ping{1},
        Pong{1},
        Goodbye{Goodbye::Code::restarting, "back soon"},
        HealthReport{"web", "127.0.0.1:8002", false, "connection refused"},
    };
}

}  // namespace tunnel::wire
