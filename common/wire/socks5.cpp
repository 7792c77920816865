#include "common/wire/socks5.hpp"

#include <algorithm>

namespace tunnel::wire {

namespace {

constexpr Byte socks_version = 5;
constexpr Byte login_version = 1;
constexpr Byte no_login = 0;
constexpr Byte with_password = 2;
constexpr Byte no_method = 0xff;
constexpr Byte connect_command = 1;

enum AddressType : Byte { ipv4 = 1, name = 3, ipv6 = 4 };

// RFC 1928 section 6.
Error refusal(Byte code, const HostPort& target) {
    const auto to = to_string(target);
    switch (code) {
        case 1:
            return {Errc::unavailable, fmt::format("it failed to connect to {}: look into its log", to), 0};
        case 2:
            return {Errc::not_allowed,
                    fmt::format(
                        "its rules forbid {}: have it allowed there, or name a server address with a port "
                        "that is, such as 443",
                        to),
                    0};
        case 3:
        case 4:
            return {
                Errc::unavailable,
                fmt::format("it cannot reach {}: check the server's name as the proxy would resolve it", to),
                0};
        case 5:
            return {
                Errc::unavailable,
                fmt::format("{} refuses its connections: is the server running, and is its tunnel port open?",
                            to),
                0};
        case 6:
            return {Errc::unavailable, fmt::format("{} does not answer it: is its tunnel port open?", to), 0};
        case 7:
            return {Errc::not_allowed, "it does not do CONNECT: use another proxy", 0};
        case 8:
            return {Errc::not_allowed,
                    fmt::format("it cannot connect to an address such as {}: use a name", to), 0};
        default:
            return {Errc::unavailable, fmt::format("it refused {} with the unknown code {}", to, code), 0};
    }
}

Error not_socks() {
    return {Errc::protocol,
            "it does not speak SOCKS5: is this the right port, or is it an HTTP proxy (http://)?", 0};
}

Error wrong_login() {
    return {Errc::unauthenticated, "it does not accept the user and password: check them in the proxy's URL",
            0};
}

void append_text(Bytes& out, BytesView text) {
    out.push_back(static_cast<Byte>(text.size()));
    append(out, text);
}

Secret to_secret(Bytes bytes) {
    Secret secret{BytesView(bytes)};
    wipe(bytes);
    return secret;
}

}  // namespace

Socks5Client::Socks5Client(HostPort target, std::string_view user, const Secret& password)
    : target_(std::move(target)), user_(user), password_(password.copy()) {
    // With a password both are offered, so that a proxy that asks for none still works.
    output_ = to_secret(user_.empty() ? Bytes{socks_version, 1, no_login}
                                      : Bytes{socks_version, 2, no_login, with_password});
}

Status Socks5Client::feed(BytesView bytes) {
    if (bytes.size() != wants_ || done())
        return fail(Errc::internal, "a SOCKS5 dialogue was fed out of turn");
    switch (phase_) {
        case Phase::method:
            return take_method(bytes);
        case Phase::login:
            if (bytes[0] != login_version) return pass(not_socks());
            if (bytes[1] != 0) return pass(wrong_login());
            request();
            return {};
        case Phase::reply:
            return take_reply(bytes);
        case Phase::address:
        case Phase::done:
            phase_ = Phase::done;
            wants_ = 0;
            return {};
    }
    return {};
}

Status Socks5Client::take_method(BytesView bytes) {
    if (bytes[0] != socks_version) return pass(not_socks());
    const bool has_login = !user_.empty();
    if (bytes[1] == no_method)
        return fail(Errc::unauthenticated, "{}",
                    has_login
                        ? "it takes neither a user and password nor a connection without: use another proxy"
                        : "it asks for a user and password: write them into the proxy's URL, "
                          "socks5://USER:PASSWORD@HOST:PORT");
    if (bytes[1] == no_login) {
        request();
        return {};
    }
    if (bytes[1] != with_password || !has_login) return pass(not_socks());
    Bytes login{login_version};
    append_text(login, view_of(user_));
    append_text(login, password_.reveal());
    output_ = to_secret(std::move(login));
    phase_ = Phase::login;
    wants_ = 2;
    return {};
}

void Socks5Client::request() {
    Bytes out{socks_version, connect_command, 0};
    if (const auto ip = parse_ip(target_.host)) {
        const BytesView bytes(ip->bytes);
        out.push_back(ip->is_v4() ? ipv4 : ipv6);
        append(out, ip->is_v4() ? bytes.last(4) : bytes);
    } else {
        out.push_back(name);
        append_text(out, view_of(target_.host));
    }
    std::array<Byte, 2> port{};
    put_be16(port, target_.port);
    append(out, port);
    output_ = to_secret(std::move(out));
    phase_ = Phase::reply;
    wants_ = 5;  // up to the first byte of the address, which tells a name's length
}

Status Socks5Client::take_reply(BytesView bytes) {
    if (bytes[0] != socks_version || bytes[2] != 0) return pass(not_socks());
    if (bytes[1] != 0) return pass(refusal(bytes[1], target_));
    constexpr std::size_t port_size = 2;
    switch (bytes[3]) {
        case ipv4:
            wants_ = 4 - 1 + port_size;
            break;
        case ipv6:
            wants_ = 16 - 1 + port_size;
            break;
        case name:
            wants_ = bytes[4] + port_size;
            break;
        default:
            return pass(not_socks());
    }
    phase_ = Phase::address;
    return {};
}

}  // namespace tunnel::wire
