#include "common/wire/control_messages.hpp"

#include "common/wire/field_walker.hpp"
#include "common/wire/limits.hpp"
#include "common/wire/protobuf.hpp"
#include "common/wire/text.hpp"
#include "proto/control.pb.h"

namespace tunnel::wire {

namespace {

template <class... Ts>
struct Overloaded : Ts... {
    using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

void fill(proto::MappingState& out, const MappingState& state) {
    out.set_name(state.name);
    out.set_source(state.source == MappingSource::admin ? proto::MappingState::SOURCE_ADMIN
                                                        : proto::MappingState::SOURCE_CLIENT);
    out.set_service(state.service);
    out.set_port(state.port);
    out.set_public_address(state.public_address);
    out.set_encrypt(state.encrypt);
    out.set_state(state.state);
    out.set_error_code(state.error_code);
    out.set_error(std::string(cut_text(state.error, max_sentence)));
    out.set_protocol(state.protocol);
    out.set_options(std::string(cut_text(state.options, max_text)));
    for (const auto& service : state.services) out.add_services(service);
    for (const auto& option : state.checks) {
        auto& added = *out.add_checks();
        added.set_name(option.name);
        added.set_value(option.value);
    }
}

proto::Cipher to_wire(Cipher cipher) {
    return cipher == Cipher::aes_128_gcm ? proto::CIPHER_AES_128_GCM : proto::CIPHER_CHACHA20_POLY1305;
}

std::optional<Cipher> from_wire(int cipher) {
    if (cipher == proto::CIPHER_AES_128_GCM) return Cipher::aes_128_gcm;
    if (cipher == proto::CIPHER_CHACHA20_POLY1305) return Cipher::chacha20_poly1305;
    return std::nullopt;
}

Result<ControlMessage> read(const proto::Login& in) {
    if (auto ok =
            all(check("client name", in.client().size(), max_text), check("slot", in.slot().size(), max_text),
                check("proof", in.proof().size(), proof_size),
                check("software name", in.software().size(), max_text),
                check("number of ciphers", static_cast<std::size_t>(in.ciphers_size()), max_ciphers));
        !ok)
        return pass(std::move(ok.error()));
    const auto proof = view_of(in.proof());
    Login out{in.client(),   in.slot(), in.instance(), Bytes(proof.begin(), proof.end()), in.takeover(),
              in.software(), {},        in.reuse()};
    for (const int cipher : in.ciphers()) {
        if (const auto known = from_wire(cipher)) out.ciphers.push_back(*known);
    }
    if (in.ciphers_size() > 0 && out.ciphers.empty())
        return fail(Errc::protocol,
                    "the other end offers no cipher that this version knows: upgrade the older one");
    return out;
}

Result<ControlMessage> read(const proto::LoginAccepted& in) {
    if (auto ok = all(check("public host", in.public_host().size(), max_text),
                      check("software name", in.software().size(), max_text),
                      check("number of known options", static_cast<std::size_t>(in.mapping_options_size()),
                            max_known_options));
        !ok)
        return pass(std::move(ok.error()));
    LoginAccepted out{SessionId{in.session()}, in.public_host(), in.software()};
    for (const auto& name : in.mapping_options()) {
        if (auto ok = check("option's name", name.size(), max_text); !ok) return pass(std::move(ok.error()));
        out.mapping_options.push_back(name);
    }
    if (in.cipher() == proto::CIPHER_UNSPECIFIED) return out;
    const auto cipher = from_wire(in.cipher());
    if (!cipher)
        return fail(Errc::protocol, "the server chose a cipher that was not offered (number {})",
                    static_cast<int>(in.cipher()));
    out.cipher = *cipher;
    return out;
}

Result<ControlMessage> read(const proto::Declare& in) {
    Declare out;
    out.mappings.reserve(static_cast<std::size_t>(in.mappings_size()));
    for (const auto& entry : in.mappings()) {
        auto spec = wire::read(entry);
        if (!spec) return pass(std::move(spec.error()));
        out.mappings.push_back(std::move(*spec));
    }
    return out;
}

// The services of a group, and how they are checked.
Status read_group(const proto::MappingState& in, MappingState& out) {
    for (const auto& service : in.services()) {
        if (auto ok = check("service", service.size(), max_service); !ok) return ok;
        out.services.push_back(service);
    }
    for (const auto& option : in.checks()) {
        if (auto ok = all(check("option's name", option.name().size(), max_text),
                          check("option's value", option.value().size(), max_option_value));
            !ok)
            return ok;
        out.checks.push_back({option.name(), option.value()});
    }
    return {};
}

Result<ControlMessage> read(const proto::HealthReport& in) {
    if (auto ok = all(check("mapping name", in.mapping().size(), max_text),
                      check("service", in.service().size(), max_service),
                      check("reason", in.reason().size(), max_sentence));
        !ok)
        return pass(std::move(ok.error()));
    return HealthReport{in.mapping(), in.service(), in.up(), in.reason()};
}

Result<ControlMessage> read(const proto::MappingStates& in) {
    MappingStates out;
    out.mappings.reserve(static_cast<std::size_t>(in.mappings_size()));
    for (const auto& state : in.mappings()) {
        if (auto ok =
                all(check("mapping name", state.name().size(), max_text), check("port", state.port(), 65535),
                    check("service", state.service().size(), max_service),
                    check("public address", state.public_address().size(), max_text),
                    check("state", state.state().size(), max_text),
                    check("error code", state.error_code().size(), max_text),
                    check("error", state.error().size(), max_sentence),
                    check("protocol", state.protocol().size(), max_text),
                    check("options", state.options().size(), max_text));
            !ok)
            return pass(std::move(ok.error()));
        const auto source = state.source() == proto::MappingState::SOURCE_ADMIN ? MappingSource::admin
                                                                                : MappingSource::client;
        out.mappings.push_back({state.name(), source, state.service(), static_cast<Port>(state.port()),
                                state.public_address(), state.encrypt(), state.state(), state.error_code(),
                                state.error(), state.protocol(), state.options()});
        if (auto ok = read_group(state, out.mappings.back()); !ok) return pass(std::move(ok.error()));
    }
    return out;
}

Result<ControlMessage> read(const proto::MappingObjection& in) {
    if (auto ok = all(check("mapping name", in.mapping().size(), max_text),
                      check("reason", in.reason().size(), max_sentence));
        !ok)
        return pass(std::move(ok.error()));
    return MappingObjection{in.mapping(), in.reason()};
}

Result<ControlMessage> read(const proto::Dial& in) {
    if (auto ok = check("number of data connections", in.count(), max_dial_count); !ok)
        return pass(std::move(ok.error()));
    return Dial{TicketNumber{in.first_ticket()}, in.count()};
}

Result<ControlMessage> read(const proto::DialFailed& in) {
    if (auto ok = check("reason", in.reason().size(), max_sentence); !ok) return pass(std::move(ok.error()));
    return DialFailed{TicketNumber{in.ticket()}, in.reason()};
}

Result<ControlMessage> read(const proto::Goodbye& in) {
    if (auto ok = check("message", in.message().size(), max_sentence); !ok)
        return pass(std::move(ok.error()));
    const auto code = in.code() >= 0 && in.code() <= static_cast<int>(Goodbye::Code::overloaded)
                          ? static_cast<Goodbye::Code>(in.code())
                          : Goodbye::Code::unspecified;
    return Goodbye{code, in.message()};
}

std::size_t count(BytesView message, int field_number) {
    std::size_t found = 0;
    for (FieldWalker walker(message); const auto field = walker.next();)
        found += field->number == static_cast<std::uint64_t>(field_number) ? 1 : 0;
    return found;
}

// Before the parser runs: a frame full of empty entries, two bytes each, would become objects of tens of MiB.
Status check_list_sizes(BytesView payload) {
    constexpr int list = proto::Declare::kMappingsFieldNumber;
    static_assert(list == static_cast<int>(proto::MappingStates::kMappingsFieldNumber));
    std::size_t declared = 0;
    std::size_t options = 0;
    std::size_t states = 0;
    std::size_t known = 0;
    std::size_t services = 0;
    for (FieldWalker outer(payload); const auto field = outer.next();) {
        const bool is_declare = field->number == proto::ControlMessage::kDeclareFieldNumber;
        const bool is_states = field->number == proto::ControlMessage::kMappingStatesFieldNumber;
        if (field->number == proto::ControlMessage::kLoginAcceptedFieldNumber)
            known += count(field->content, proto::LoginAccepted::kMappingOptionsFieldNumber);
        if (!is_declare && !is_states) continue;
        for (FieldWalker inner(field->content); const auto entry = inner.next();) {
            if (entry->number != list) continue;
            ++(is_declare ? declared : states);
            if (is_states)
                services += count(entry->content, proto::MappingState::kServicesFieldNumber) +
                            count(entry->content, proto::MappingState::kChecksFieldNumber);
            if (is_declare) options += count(entry->content, proto::MappingSpec::kOptionsFieldNumber);
        }
    }
    return all(check("number of mappings", declared, max_mappings),
               check("number of mappings", states, 2 * max_mappings),
               check("number of options", options, max_options_in_all),
               check("number of services", services, max_services_in_all),
               check("number of known options", known, max_known_options));
}

proto::ControlMessage to_proto(const ControlMessage& message) {
    proto::ControlMessage out;
    std::visit(Overloaded{
                   [&](const Login& m) {
                       auto& p = *out.mutable_login();
                       p.set_client(m.client);
                       p.set_slot(m.slot);
                       p.set_instance(m.instance);
                       p.set_proof(std::string(text_of(m.proof)));
                       p.set_takeover(m.takeover);
                       p.set_software(m.software);
                       for (const auto cipher : m.ciphers) p.add_ciphers(to_wire(cipher));
                       p.set_reuse(m.reuse);
                   },
                   [&](const LoginAccepted& m) {
                       auto& p = *out.mutable_login_accepted();
                       p.set_session(m.session.value);
                       p.set_public_host(m.public_host);
                       p.set_software(m.software);
                       for (const auto& name : m.mapping_options) p.add_mapping_options(name);
                       p.set_cipher(to_wire(m.cipher));
                   },
                   [&](const Declare& m) {
                       auto& p = *out.mutable_declare();
                       for (const auto& spec : m.mappings) wire::fill(*p.add_mappings(), spec);
                   },
                   [&](const MappingStates& m) {
                       auto& p = *out.mutable_mapping_states();
                       for (const auto& state : m.mappings) fill(*p.add_mappings(), state);
                   },
                   [&](const MappingObjection& m) {
                       out.mutable_objection()->set_mapping(m.mapping);
                       out.mutable_objection()->set_reason(std::string(cut_text(m.reason, max_sentence)));
                   },
                   [&](const Dial& m) {
                       out.mutable_dial()->set_first_ticket(m.first_ticket.value);
                       out.mutable_dial()->set_count(m.count);
                   },
                   [&](const DialFailed& m) {
                       out.mutable_dial_failed()->set_ticket(m.ticket.value);
                       out.mutable_dial_failed()->set_reason(std::string(cut_text(m.reason, max_sentence)));
                   },
                   [&](const Ping& m) { out.mutable_ping()->set_nonce(m.nonce); },
                   [&](const Pong& m) { out.mutable_pong()->set_nonce(m.nonce); },
                   [&](const Goodbye& m) {
                       out.mutable_goodbye()->set_code(static_cast<proto::Goodbye::Code>(m.code));
                       out.mutable_goodbye()->set_message(std::string(cut_text(m.message, max_sentence)));
                   },
                   [&](const HealthReport& m) {
                       auto& p = *out.mutable_health();
                       p.set_mapping(m.mapping);
                       p.set_service(m.service);
                       p.set_up(m.up);
                       p.set_reason(std::string(cut_text(m.reason, max_sentence)));
                   },
               },
               message);
    return out;
}

}  // namespace

std::string_view name_of(const ControlMessage& message) {
    return std::visit(Overloaded{
                          [](const Login&) { return std::string_view("login"); },
                          [](const LoginAccepted&) { return std::string_view("login answer"); },
                          [](const Declare&) { return std::string_view("declaration of mappings"); },
                          [](const MappingStates&) { return std::string_view("list of mapping states"); },
                          [](const MappingObjection&) { return std::string_view("objection to a mapping"); },
                          [](const Dial&) { return std::string_view("dial request"); },
                          [](const DialFailed&) { return std::string_view("failed dial report"); },
                          [](const Ping&) { return std::string_view("ping"); },
                          [](const Pong&) { return std::string_view("pong"); },
                          [](const Goodbye&) { return std::string_view("goodbye"); },
                          [](const HealthReport&) { return std::string_view("report of a check"); },
                      },
                      message);
}

Bytes encode(const ControlMessage& message) {
    return serialize_message(to_proto(message));
}

Result<ControlMessage> decode(BytesView payload) {
    if (auto ok = check_list_sizes(payload); !ok) return pass(std::move(ok.error()));
    proto::ControlMessage in;
    if (!parse_message(in, payload))
        return fail(Errc::protocol, "the other end sent a frame that is no control message");
    switch (in.message_case()) {
        case proto::ControlMessage::kLogin:
            return read(in.login());
        case proto::ControlMessage::kLoginAccepted:
            return read(in.login_accepted());
        case proto::ControlMessage::kDeclare:
            return read(in.declare());
        case proto::ControlMessage::kMappingStates:
            return read(in.mapping_states());
        case proto::ControlMessage::kObjection:
            return read(in.objection());
        case proto::ControlMessage::kDial:
            return read(in.dial());
        case proto::ControlMessage::kDialFailed:
            return read(in.dial_failed());
        case proto::ControlMessage::kPing:
            return Ping{in.ping().nonce()};
        case proto::ControlMessage::kPong:
            return Pong{in.pong().nonce()};
        case proto::ControlMessage::kGoodbye:
            return read(in.goodbye());
        case proto::ControlMessage::kHealth:
            return read(in.health());
        case proto::ControlMessage::MESSAGE_NOT_SET:
            break;
    }
    return fail(Errc::protocol, "the other end sent a control message of a kind this version does not know");
}

}  // namespace tunnel::wire
