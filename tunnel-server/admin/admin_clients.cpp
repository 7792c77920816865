// What the admin API says and changes of one client's settings. The rest of AdminApi is in admin_api.cpp.

#include "tunnel-server/admin/admin_api.hpp"
#include "tunnel-server/admin/admin_views.hpp"

namespace tunnel::server {

namespace {

using Response = proto::AdminResponse;

std::vector<SettingText> changes_of(const proto::ClientSet& request) {
    std::vector<SettingText> changes;
    for (const auto& setting : request.settings())
        changes.push_back({setting.name(), {setting.values().begin(), setting.values().end()}});
    return changes;
}

}  // namespace

net::awaitable<Result<Response>> AdminApi::client_set(proto::ClientSet request) {
    const auto name = request.name();
    if (auto ok = check_client(name); !ok) co_return pass(ok.error());
    auto settings = access_.settings(name);
    if (auto ok = change_settings(settings, changes_of(request)); !ok) co_return pass(ok.error());
    if (auto ok = access_.check(settings); !ok) co_return pass(ok.error());
    auto expires_at = clients_.find(name)->expires_at;
    if (request.set_expiry()) {
        expires_at.reset();
        if (request.expires_at() != 0)
            expires_at = std::chrono::system_clock::from_time_t(request.expires_at());
    }
    auto pending = store_.run(
        [name, settings, expires_at](Store& store) { return store.set_client(name, settings, expires_at); });
    auto stored = co_await std::move(pending);
    if (!stored) co_return pass(stored.error());
    clients_.set_access(name, expires_at, settings.disabled);
    access_.set(name, settings);
    log_.info("client set", {{"client", name},
                             {"settings", settings_summary(settings)},
                             {"expires", expires_at ? format_utc(*expires_at) : "never"}});
    if (!clients_.may_stay(name, std::chrono::system_clock::now())) {
        // It may come back by itself once it is enabled.
        const auto code = settings.disabled ? wire::Goodbye::Code::overloaded : wire::Goodbye::Code::revoked;
        (void)sessions_.close_sessions(
            name, code,
            fmt::format(
                "this client {}: ask the server's admin to let it in again (tunnelctl client set {} {})",
                settings.disabled ? "was disabled" : "has expired", name,
                settings.disabled ? "--enable" : "--expires 30d"));
        sessions_.drop_seats(name);
        co_await abort_relays_of(name, "");
    }
    co_return client_show(name);
}

Result<Response> AdminApi::client_show(const std::string& name) const {
    if (auto ok = check_client(name); !ok) return pass(ok.error());
    Response response;
    fill(*response.mutable_client(), name, *clients_.find(name), sessions_, mappings_, access_,
         std::chrono::system_clock::now());
    return response;
}

}  // namespace tunnel::server
