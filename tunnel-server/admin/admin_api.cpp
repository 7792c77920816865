#include "tunnel-server/admin/admin_api.hpp"

#include <algorithm>

#include "common/config/join_link.hpp"
#include "common/core/names.hpp"
#include "common/core/version.hpp"
#include "common/mapping/spec.hpp"
#include "common/net/hop.hpp"
#include "common/tls/identity.hpp"
#include "common/tls/login_proof.hpp"
#include "tunnel-server/admin/admin_views.hpp"

namespace tunnel::server {

namespace {

using Response = proto::AdminResponse;
using Case = proto::AdminRequest::RequestCase;

Response done() {
    Response response;
    response.mutable_done();
    return response;
}

bool changes_something(Case request) {
    switch (request) {
        case Case::kClientAdd:
        case Case::kClientRemove:
        case Case::kClientRotate:
        case Case::kClientSet:
        case Case::kMappingAdd:
        case Case::kMappingPause:
        case Case::kMappingResume:
        case Case::kMappingRemove:
        case Case::kMappingDrain:
        case Case::kMappingUndrain:
            return true;
        default:
            return false;
    }
}

}  // namespace

AdminApi::AdminApi(const asio::any_io_executor& executor, Log log, const ServerFacts& facts,
                   net::WorkerPool& workers, StoreThread& store, ClientBook& clients, ClientAccess& access,
                   MappingTable& mappings, SessionTable& sessions)
    : executor_(executor),
      log_(std::move(log)),
      facts_(facts),
      workers_(workers),
      store_(store),
      clients_(clients),
      access_(access),
      mappings_(mappings),
      sessions_(sessions),
      change_ended_(executor, asio::steady_timer::time_point::max()) {}

net::awaitable<Response> AdminApi::handle(proto::AdminRequest request) {
    Result<Response> response;
    if (changes_something(request.request_case()))
        response = co_await change(request);
    else
        response = co_await dispatch(request);
    if (response) co_return std::move(*response);
    Response error;
    error.mutable_error()->set_code(std::string(tunnel::to_string(response.error().code)));
    error.mutable_error()->set_message(response.error().message);
    co_return error;
}

net::awaitable<Result<Response>> AdminApi::change(const proto::AdminRequest& request) {
    while (changing_) co_await change_ended_.async_wait(net::use_result);
    changing_ = true;
    auto response = co_await dispatch(request);
    changing_ = false;
    change_ended_.cancel();
    co_return response;
}

net::awaitable<Result<Response>> AdminApi::dispatch(const proto::AdminRequest& request) {
    switch (request.request_case()) {
        case Case::kStatus:
            co_return co_await status();
        case Case::kClientAdd:
            co_return co_await client_add(request.client_add());
        case Case::kClientList:
            co_return client_list();
        case Case::kClientRemove:
            co_return co_await client_remove(request.client_remove().name());
        case Case::kClientRotate:
            co_return co_await client_rotate(request.client_rotate().name());
        case Case::kClientSet:
            co_return co_await client_set(request.client_set());
        case Case::kClientShow:
            co_return client_show(request.client_show().name());
        case Case::kMappingAdd:
            co_return co_await mapping_add(request.mapping_add());
        case Case::kMappingList:
            co_return co_await mapping_list(request.mapping_list());
        case Case::kMappingShow:
            co_return co_await mapping_show(request.mapping_show());
        case Case::kMappingPause:
            co_return co_await mapping_pause(request.mapping_pause(), true);
        case Case::kMappingResume:
            co_return co_await mapping_pause(request.mapping_resume(), false);
        case Case::kMappingDrain:
            co_return co_await mapping_drain(request.mapping_drain(), true);
        case Case::kMappingUndrain:
            co_return co_await mapping_drain(request.mapping_undrain(), false);
        case Case::kMappingRemove:
            co_return co_await mapping_remove(request.mapping_remove());
        case Case::kSessionList:
            co_return session_list();
        case Case::kSessionClose:
            co_return session_close(request.session_close().name());
        case Case::kConnectionList:
            co_return co_await connection_list(request.connection_list());
        case Case::kConnectionClose:
            co_return co_await connection_close(request.connection_close().id());
        case Case::REQUEST_NOT_SET:
            break;
    }
    co_return fail(
        Errc::invalid,
        "this server does not know that request: tunnelctl and tunnel-server are of different releases");
}

net::awaitable<Result<Response>> AdminApi::status() {
    const auto running = co_await relays();
    Response response;
    auto& out = *response.mutable_status();
    out.set_version(std::string(version));
    out.set_started_at(unix_seconds(facts_.started_at()));
    for (const auto& address : facts_.listen_addresses()) out.add_listen(address);
    out.set_public_host(printed_host(facts_.config()));
    out.set_workers(static_cast<std::uint32_t>(workers_.size()));
    out.set_clients(static_cast<std::uint32_t>(clients_.all().size()));
    out.set_sessions(static_cast<std::uint32_t>(sessions_.sessions().size()));
    out.set_mappings(static_cast<std::uint32_t>(mappings_.all().size()));
    out.set_visitors(static_cast<std::uint32_t>(running.size()));
    out.set_visitors_total(sessions_.pairing_counters().visitors_total);
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    for (const auto& [key, mapping] : mappings_.all()) {
        bytes_in += mapping.counters->bytes_in;
        bytes_out += mapping.counters->bytes_out;
    }
    for (const auto& relay : running) {
        bytes_in += relay.bytes_in;
        bytes_out += relay.bytes_out;
    }
    out.set_bytes_in(bytes_in);
    out.set_bytes_out(bytes_out);
    const auto& pairing = sessions_.pairing_counters();
    out.set_data_connections(pairing.dialled);
    out.set_data_connections_reused(pairing.reused);
    out.set_refused_tickets(pairing.refused_tickets);
    out.set_refused_logins(sessions_.refused_logins());
    out.set_garbage_connections(facts_.garbage_connections());
    out.set_config_file(facts_.config().file);
    out.set_draining(facts_.draining());
    co_return response;
}

Status AdminApi::check_client(const std::string& name) const {
    if (clients_.find(name) != nullptr) return {};
    return fail(Errc::not_found,
                "there is no client \"{}\": tunnelctl client list shows those there are, tunnelctl client "
                "add {} adds it",
                name, name);
}

Result<Response> AdminApi::link_for(const std::string& name, const Secret& secret) const {
    config::JoinLink link{
        name, secret.copy(), {printed_host(facts_.config()), facts_.tunnel_port()}, config::SystemCa{}};
    if (const auto& front = facts_.config().websocket.link) {
        link.server = *front;
        link.via = config::Via::websocket;
    }
    if (facts_.config().tls.link == LinkTrust::pin) {
        auto pin = tls::Pin::parse(facts_.pin());
        if (!pin) return pass(std::move(pin.error()));
        link.trust = pin->digest;
    }
    Response response;
    response.mutable_client_link()->set_name(name);
    const auto text = config::to_text(link);
    response.mutable_client_link()->set_link(std::string(text_of(text.reveal())));
    return response;
}

net::awaitable<Result<Response>> AdminApi::client_add(proto::ClientAdd request) {
    const auto name = request.name();
    if (auto ok = check_name("client", name); !ok) co_return pass(ok.error());
    const auto secret = Secret::random(config::client_secret_bytes);
    StoredClient client{name, tls::stored_key(secret, name), std::chrono::system_clock::now(), std::nullopt};
    if (request.expires_at() != 0)
        client.expires_at = std::chrono::system_clock::from_time_t(request.expires_at());
    auto pending = store_.run([client](Store& store) { return store.add_client(client); });
    auto stored = co_await std::move(pending);
    if (!stored && stored.error().code == Errc::exists)
        co_return fail(
            Errc::exists,
            "there is a client \"{}\" already: choose another name, or make it a new link with tunnelctl "
            "client rotate {}",
            name, name);
    if (!stored) co_return pass(stored.error());
    clients_.add(client);
    access_.set(name, {});
    log_.info("client added", {{"client", name}});
    co_return link_for(name, secret);
}

net::awaitable<Result<Response>> AdminApi::client_rotate(std::string name) {
    if (auto ok = check_client(name); !ok) co_return pass(ok.error());
    const auto secret = Secret::random(config::client_secret_bytes);
    const auto key = tls::stored_key(secret, name);
    auto pending = store_.run([name, key](Store& store) { return store.set_client_key(name, key); });
    auto stored = co_await std::move(pending);
    if (!stored) co_return pass(stored.error());
    clients_.set_key(name, key);
    // Whoever holds the old secret has to go at once; a client without a session has nothing to close.
    (void)sessions_.close_sessions(name, wire::Goodbye::Code::revoked,
                                   "the secret of this client was changed: join again with the new link");
    log_.info("client rotated", {{"client", name}});
    co_return link_for(name, secret);
}

net::awaitable<Result<Response>> AdminApi::client_remove(std::string name) {
    if (auto ok = check_client(name); !ok) co_return pass(ok.error());
    auto pending = store_.run([name](Store& store) { return store.remove_client(name); });
    auto stored = co_await std::move(pending);
    if (!stored) co_return pass(stored.error());
    clients_.remove(name);
    access_.remove(name);
    (void)sessions_.close_sessions(name, wire::Goodbye::Code::revoked,
                                   "this client was removed from the server");
    sessions_.drop_seats(name);
    mappings_.remove_client(name);
    co_await abort_relays_of(name, "");
    log_.info("client removed", {{"client", name}});
    co_return done();
}

Result<Response> AdminApi::client_list() const {
    Response response;
    auto& list = *response.mutable_clients();
    const auto now = std::chrono::system_clock::now();
    for (const auto& [name, client] : clients_.all())
        fill(*list.add_clients(), name, client, sessions_, mappings_, access_, now);
    return response;
}

net::awaitable<Result<Response>> AdminApi::mapping_add(proto::MappingAdd request) {
    const auto spec = wire::read(request.spec());
    if (!spec) co_return fail(Errc::invalid, "{}", spec.error().message);
    const auto options = from_spec(*spec);
    if (!options) co_return pass(options.error());
    if (auto ok = check_client(request.client()); !ok) co_return pass(ok.error());
    const StoredMapping mapping{request.client(), *options, std::chrono::system_clock::now()};
    if (auto ok = mappings_.check_new(mapping); !ok) co_return pass(ok.error());
    auto pending = store_.run([mapping](Store& store) { return store.add_mapping(mapping); });
    auto stored = co_await std::move(pending);
    if (!stored) co_return pass(stored.error());
    // A client may have declared the same name while the disk was busy; the admin's word counts.
    mappings_.remove({mapping.client, options->name});
    const auto& added = mappings_.add(mapping);
    log_.info("mapping added",
              {{"mapping", options->name}, {"client", mapping.client}, {"service", spec->service}});
    Response response;
    fill(*response.mutable_mapping(), added, mappings_, {});
    co_return response;
}

net::awaitable<Result<Response>> AdminApi::mapping_remove(proto::MappingQuery query) {
    const auto key = mappings_.find(query.name(), query.client());
    if (!key) co_return pass(key.error());
    if (mappings_.get(*key)->source == wire::MappingSource::client)
        co_return fail(Errc::not_allowed,
                       "the mapping \"{}\" is declared by the client \"{}\" itself: remove it from that "
                       "client's config, or hold it "
                       "back here with tunnelctl mapping pause {}",
                       key->name, key->client, to_string(*key));
    auto pending =
        store_.run([key = *key](Store& store) { return store.remove_mapping(key.client, key.name); });
    auto stored = co_await std::move(pending);
    if (!stored) co_return pass(stored.error());
    mappings_.remove(*key);
    log_.info("mapping removed", {{"mapping", key->name}, {"client", key->client}});
    co_return done();
}

net::awaitable<Result<Response>> AdminApi::mapping_pause(proto::MappingQuery query, bool paused) {
    const auto key = mappings_.find(query.name(), query.client());
    if (!key) co_return pass(key.error());
    auto pending = store_.run(
        [key = *key, paused](Store& store) { return store.set_paused(key.client, key.name, paused); });
    auto stored = co_await std::move(pending);
    if (!stored) co_return pass(stored.error());
    mappings_.set_paused(*key, paused);
    log_.info(paused ? "mapping paused" : "mapping resumed",
              {{"mapping", key->name}, {"client", key->client}});
    co_return done();
}

net::awaitable<Result<Response>> AdminApi::mapping_drain(proto::MemberQuery query, bool drained) {
    const auto key = mappings_.find(query.mapping().name(), query.mapping().client());
    if (!key) co_return pass(key.error());
    if (auto ok = mappings_.check_member(*key, query.member()); !ok) co_return pass(ok.error());
    const DrainedMember member{key->client, key->name, query.member()};
    auto pending = store_.run([member, drained](Store& store) { return store.set_drained(member, drained); });
    auto stored = co_await std::move(pending);
    if (!stored) co_return pass(stored.error());
    mappings_.set_drained(*key, member.service, drained);
    log_.info(drained ? "member drained" : "member undrained",
              {{"mapping", key->name}, {"client", key->client}, {"service", member.service}});
    co_return done();
}

net::awaitable<Result<Response>> AdminApi::mapping_show(proto::MappingQuery query) {
    const auto running = co_await relays();
    const auto key = mappings_.find(query.name(), query.client());
    if (!key) co_return pass(key.error());
    Response response;
    fill(*response.mutable_mapping(), *mappings_.get(*key), mappings_, running);
    co_return response;
}

net::awaitable<Result<Response>> AdminApi::mapping_list(proto::MappingQuery query) {
    const auto running = co_await relays();
    Response response;
    auto& list = *response.mutable_mappings();
    for (const auto& [key, mapping] : mappings_.all()) {
        if (query.client().empty() || query.client() == key.client)
            fill(*list.add_mappings(), mapping, mappings_, running);
    }
    co_return response;
}

Result<Response> AdminApi::session_list() const {
    Response response;
    auto& list = *response.mutable_sessions();
    for (const auto* session : sessions_.sessions()) {
        auto& info = *list.add_sessions();
        fill(info, *session, mappings_);
        info.set_ready(static_cast<std::uint32_t>(sessions_.ready(session->seat())));
    }
    return response;
}

Result<Response> AdminApi::session_close(const std::string& client) {
    if (auto ok = check_client(client); !ok) return pass(std::move(ok.error()));
    if (auto ok = sessions_.close_sessions(client, wire::Goodbye::Code::closed_by_admin,
                                           "the server's admin closed the session");
        !ok)
        return pass(std::move(ok.error()));
    return done();
}

net::awaitable<Result<Response>> AdminApi::connection_list(proto::MappingQuery query) {
    if (!query.name().empty()) {
        const auto key = mappings_.find(query.name(), query.client());
        if (!key) co_return pass(key.error());
        query.set_client(key->client);
    }
    auto running = co_await relays();
    std::sort(running.begin(), running.end(),
              [](const auto& a, const auto& b) { return a.label.id < b.label.id; });
    Response response;
    auto& list = *response.mutable_connections();
    for (const auto& relay : running) {
        const bool wanted = (query.name().empty() || relay.label.mapping == query.name()) &&
                            (query.client().empty() || relay.label.client == query.client());
        if (wanted) fill(*list.add_connections(), relay);
    }
    co_return response;
}

net::awaitable<Result<Response>> AdminApi::connection_close(std::uint64_t id) {
    for (std::size_t i = 0; i < workers_.size(); ++i) {
        auto* const worker = &workers_.at(i);
        auto pending = net::ask(worker->executor(), [worker, id] {
            return worker->relays().abort(ConnectionId{id}, net::RelayEnd::closed);
        });
        const bool found = co_await std::move(pending);
        if (found) co_return done();
    }
    co_return fail(Errc::not_found,
                   "there is no connection {}: tunnelctl connection list shows those there are", id);
}

net::awaitable<std::vector<net::RelaySnapshot>> AdminApi::relays() {
    std::vector<net::RelaySnapshot> all;
    for (std::size_t i = 0; i < workers_.size(); ++i) {
        auto* const worker = &workers_.at(i);
        auto pending = net::ask(worker->executor(), [worker] { return worker->relays().list(); });
        auto part = co_await std::move(pending);
        all.insert(all.end(), std::make_move_iterator(part.begin()), std::make_move_iterator(part.end()));
    }
    co_return all;
}

net::awaitable<void> AdminApi::abort_relays_of(std::string client, std::string mapping) {
    for (std::size_t i = 0; i < workers_.size(); ++i) {
        auto* const worker = &workers_.at(i);
        auto pending = net::ask(worker->executor(), [worker, client, mapping] {
            worker->relays().abort_of(client, mapping, net::RelayEnd::closed);
        });
        co_await std::move(pending);
    }
}

}  // namespace tunnel::server
