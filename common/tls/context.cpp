#include "common/tls/context.hpp"

#include <cerrno>
#include <fstream>
#include <iterator>

#include "common/tls/context_state.hpp"

namespace tunnel::tls {

ServerContext::ServerContext(std::unique_ptr<State> state) : state_(std::move(state)) {}
ServerContext::~ServerContext() = default;

const Pin& ServerContext::pin() const {
    return state_->pin;
}

Result<std::shared_ptr<const ServerContext>> ServerContext::make(std::string_view certificate_pem,
                                                                 const Secret& key_pem) {
    if (auto ready = mbed::prepare_library(); !ready) return pass(ready.error());
    auto state = std::make_unique<State>();
    // A positive result counts certificates that did not parse: a server must not present a broken chain.
    if (const int result = mbed::parse_certificates(state->chain, certificate_pem); result != 0)
        return fail(Errc::invalid,
                    "the server's certificate file is not a PEM certificate chain: {}; make a new one with "
                    "tunnel-server init",
                    result > 0 ? "a part of it does not parse" : mbed::describe(result));
    if (const int result = mbed::parse_private_key(state->key, key_pem); result != 0)
        return fail(Errc::invalid, "the server's key file is not an unencrypted PEM private key: {}",
                    mbed::describe(result));
    if (!mbed::is_key_of(state->chain, state->key))
        return fail(
            Errc::invalid,
            "the server's key does not belong to its certificate; the two files must come from the same "
            "tunnel-server init or the same certificate request");
    state->pin = pin_of(*state->chain.get());
    return std::shared_ptr<const ServerContext>(new ServerContext(std::move(state)));
}

ClientContext::ClientContext(std::unique_ptr<State> state) : state_(std::move(state)) {}
ClientContext::~ClientContext() = default;

namespace {

Result<std::string> read_store(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file)
        return fail_errno(errno, fmt::format("cannot open the system's certificates {} (Debian: install "
                                             "ca-certificates; or set ca_file)",
                                             path));
    return std::string(std::istreambuf_iterator<char>(file), {});
}

Status load_authorities(mbed::Certificate& authorities, std::string_view pem, std::string_view from) {
    const int result = mbed::parse_certificates(authorities, pem);
    // A positive result counts those that did not parse. A store with an exotic certificate is usable
    // as long as another one parsed.
    if (result < 0 || authorities->raw.p == nullptr)
        return fail(Errc::invalid, "{} holds no certificate in PEM form: {}", from,
                    result < 0 ? mbed::describe(result) : "nothing parsed");
    return {};
}

}  // namespace

Result<std::shared_ptr<const ClientContext>> ClientContext::make(Trust trust, std::string_view host,
                                                                 Alpn alpn) {
    if (auto ready = mbed::prepare_library(); !ready) return pass(ready.error());
    if (host.empty() || host.size() > 255)
        return fail(Errc::invalid, "'{}' is not a host: 1 to 255 characters are", host);
    auto state = std::make_unique<State>();
    state->host = host;
    state->alpn = alpn;
    state->address = parse_ip(host);
    Status loaded;
    if (const auto* pin = std::get_if<Pin>(&trust)) {
        state->pin = *pin;
    } else if (const auto* bundle = std::get_if<CaBundle>(&trust)) {
        loaded = load_authorities(state->authorities, bundle->pem, "the CA file");
    } else if (const auto* store = std::get_if<SystemStore>(&trust)) {
        auto pem = read_store(store->path);
        if (!pem) return pass(pem.error());
        loaded = load_authorities(state->authorities, *pem, store->path);
    } else {
        state->any_server = true;
    }
    if (!loaded) return pass(loaded.error());
    return std::shared_ptr<const ClientContext>(new ClientContext(std::move(state)));
}

}  // namespace tunnel::tls
