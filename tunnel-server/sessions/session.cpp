#include "tunnel-server/sessions/session.hpp"

#include <algorithm>

#include "common/core/version.hpp"
#include "common/mapping/spec.hpp"
#include "common/net/deadline.hpp"
#include "common/net/socket.hpp"
#include "common/tls/login_proof.hpp"

namespace tunnel::server {

namespace {

constexpr Seconds login_limit{10};

}  // namespace

Session::Session(const asio::any_io_executor& executor, SessionEvents& events, NewControl control,
                 wire::HeartbeatTimes times, std::string public_host)
    : events_(events),
      channel_(executor, std::move(control.fd), std::move(control.session), wire::End::server, times),
      public_host_(std::move(public_host)),
      place_(std::move(control.place)),
      address_(peer_text(control.peer)),
      way_(control.way),
      since_(std::chrono::system_clock::now()) {}

net::awaitable<Error> Session::run() {
    const auto executor = co_await asio::this_coro::executor;
    const net::Deadline login_deadline(executor, login_limit, [this] {
        if (!logged_in()) close(wire::Goodbye::Code::refused, "no login came in time");
    });
    auto pending = channel_.run([this](const wire::ControlMessage& message) { on_message(message); });
    co_return co_await std::move(pending);
}

void Session::dial(std::size_t count) {
    while (count > 0) {
        const auto part = std::min<std::size_t>(count, wire::max_dial_count);
        channel_.send(tickets_->issue(static_cast<std::uint32_t>(part), Clock::now()));
        count -= part;
    }
}

void Session::on_message(const wire::ControlMessage& message) {
    if (const auto* login = std::get_if<wire::Login>(&message)) return log_in(*login);
    if (const auto* declare = std::get_if<wire::Declare>(&message))
        return events_.on_declare(*this, *declare);
    if (const auto* objection = std::get_if<wire::MappingObjection>(&message))
        return events_.on_objection(*this, *objection);
    if (const auto* failed = std::get_if<wire::DialFailed>(&message))
        return events_.on_dial_failed(*this, *failed);
    if (const auto* report = std::get_if<wire::HealthReport>(&message))
        return events_.on_health(*this, *report);
    if (const auto* goodbye = std::get_if<wire::Goodbye>(&message)) {
        leaving_ = goodbye->code == wire::Goodbye::Code::leaving;
        channel_.abort({Errc::closed, goodbye->message, 0});
    }
}

void Session::log_in(const wire::Login& login) {
    const auto binding = channel_.export_key(tls::login_exporter_label, tls::login_binding_size);
    const auto data_key = channel_.export_key(tls::data_exporter_label, tls::session_data_key_size);
    if (!binding || !data_key) return channel_.abort((binding ? data_key : binding).error());
    seat_ = {login.client, login.slot};
    instance_ = login.instance;
    software_ = login.software;
    id_ = SessionId{random_u64()};
    // The session stands in its seat from here on and may be asked to dial.
    const auto cipher = events_.on_login(*this, login, *binding);
    if (!cipher) return channel_.close(cipher.error());
    using Client = SessionTickets::Client;
    tickets_ = std::make_shared<SessionTickets>(seat_, *data_key, *cipher,
                                                login.reuse ? Client::uses_again : Client::uses_each_once);
    events_.on_logged_in(*this);
    place_.leave();
    channel_.send(wire::LoginAccepted{id_, public_host_, fmt::format("tunnel-server {}", version),
                                      known_option_names(), *cipher});
}

}  // namespace tunnel::server
