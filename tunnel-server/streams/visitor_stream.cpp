#include "tunnel-server/streams/visitor_stream.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>

#include "common/net/deadline.hpp"
#include "common/net/relay/relay.hpp"
#include "common/wire/stream_head.hpp"

namespace tunnel::server {

namespace {

using net::Relay;
using net::RelayEnd;

// Longer than the longest time a client may take to dial its service.
constexpr Seconds answer_limit{150};
// A StreamOpen that is not even acknowledged after this time met a dead path. A path that is only slow must
// not be taken for one: the client may already have passed the visitor's first bytes to the service.
constexpr Millis least_acknowledge_limit{2000};
constexpr int round_trips_to_acknowledge = 6;
constexpr int most_moves = 3;

struct Heads {
    Bytes opening;  // the server's nonce and the sealed StreamOpen
    net::RecordLayers records;
};

wire::StreamOpen stream_open(net::Worker& worker, const Assignment& assignment) {
    const auto& route = assignment.visitor.route;
    const auto& visitor = assignment.visitor.visitor;
    const auto& options = route->options;
    const bool encrypt = options.encrypt || assignment.data.preface.needs_records;
    wire::StreamOpen open{
        assignment.id,    route->mapping.name, route->service, encrypt, to_text(visitor), "", 0,
        options.keepalive};
    open.proxy_protocol = options.proxy_protocol;
    // Kernel TLS stays on a socket for good.
    open.reuse = assignment.data.reuse && !(encrypt && worker.kernel_tls().available());
    if (visitor.announced && options.proxy_protocol == wire::ProxyVersion::v2)
        open.proxy_tlvs = visitor.announced->tlvs;
    if (options.endpoint.is_unix() && visitor.announced) {
        open.local = net::to_text(visitor.announced->local);
        return open;
    }
    if (options.endpoint.is_unix()) {
        open.local = public_url("unix", options.endpoint.path);
        return open;
    }
    const auto local = net::local_of(visitor.fd.get());
    open.local = net::to_text(visitor.announced ? visitor.announced->local : local);
    if (options.endpoint.size() > 1)
        open.port_offset = static_cast<Port>(local.port() - options.endpoint.ports.first);
    return open;
}

Result<Heads> make_heads(net::Worker& worker, const ReadyConnection& data, const wire::StreamOpen& stream) {
    wire::Nonce nonce;
    fill_nonce(nonce);
    auto keys =
        tls::derive_stream_keys(data.cipher, data.ticket_key, data.preface.ticket, data.preface.nonce, nonce);
    Heads heads{Bytes(nonce.begin(), nonce.end()),
                net::make_record_layers(worker, std::move(keys.to_client), std::move(keys.to_server))};
    const auto open = wire::encode(stream);
    heads.opening.resize(wire::nonce_size + open.size() + tls::record_overhead);
    const auto sealed = heads.records.sealer.seal(tls::RecordType::application_data, open,
                                                  MutableBytes(heads.opening).subspan(wire::nonce_size));
    if (!sealed) return pass(sealed.error());
    heads.opening.resize(wire::nonce_size + *sealed);
    return heads;
}

bool may_move(const WaitingVisitor& visitor) {
    return visitor.moves < most_moves || has_next_member(visitor);
}

// A record of an empty one, which is what no code and no reason make.
std::size_t smallest_answer(Cipher cipher) {
    return wire::encode(wire::StreamAnswer{}).size() + tls::record_overhead_of(cipher);
}

// With the answer: what a service says first, where that is a few words.
constexpr std::size_t first_read = 512;

// The client's sealed answer.
class AnswerReader final : public net::RelayPrologue {
  public:
    // `visitor` is kept up to date for whoever hears of the relay's end.
    AnswerReader(Relay& relay, const asio::any_io_executor& executor, std::shared_ptr<WaitingVisitor> visitor,
                 const ReadyConnection& data)
        : relay_(relay),
          visitor_(std::move(visitor)),
          may_move_(server::may_move(*visitor_)),
          smallest_(smallest_answer(data.cipher)),
          bytes_(first_read) {
        if (may_move_)
            deadline_.emplace(executor, acknowledge_limit(data.round_trip),
                              [this, executor] { judge_silence(executor); });
        else
            wait_for_answer(executor);
    }
    // Opens the answer; of a plain data connection's head only.
    std::optional<tls::RecordOpener> head_opener;

    Step read(int data_fd) override {
        for (;;) {
            const auto room = bytes_.size() - have_;
            const auto n = ::recv(data_fd, bytes_.data() + have_, room, MSG_DONTWAIT);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return Step::incomplete;
            if (n <= 0)
                return refuse(may_move_ ? RelayEnd::unanswered : RelayEnd::data_failed,
                              n == 0 ? "the client closed the data connection"
                                     : std::generic_category().message(errno));
            have_ += static_cast<std::size_t>(n);
            emptied_ = static_cast<std::size_t>(n) < room;
            if (have_ < smallest_) continue;
            const auto size =
                tls::RecordOpener::record_size(BytesView(bytes_).first(tls::record_header_size));
            if (!size) return refuse(RelayEnd::tampered, size.error().message);
            if (*size < smallest_)
                return refuse(RelayEnd::tampered, "the client sent a stream answer that is none");
            record_size_ = *size;
            if (record_size_ <= have_) return judge();
            bytes_.resize(std::max(record_size_, first_read));
        }
    }
    BytesView rest() const override { return BytesView(bytes_).first(have_).subspan(record_size_); }
    bool emptied() const override { return emptied_; }
    net::RelayRefusal refusal() override { return std::move(refusal_); }
    bool may_move() const override { return may_move_; }

  private:
    Step refuse(RelayEnd end, std::string detail) {
        refusal_ = {end, std::move(detail)};
        return Step::refused;
    }
    Step judge() {
        auto& opener = head_opener ? *head_opener : relay_.record_layers()->opener;
        Bytes plain(record_size_);
        const auto opened = opener.open(BytesView(bytes_).first(record_size_), plain);
        if (!opened) return refuse(RelayEnd::tampered, opened.error().message);
        auto answer = wire::decode_stream_answer(BytesView(plain).first(opened->size));
        if (!answer) return refuse(RelayEnd::tampered, answer.error().message);
        const auto& member = visitor_->route->member;
        if (answer->code == wire::StreamAnswer::Code::ready) {
            if (member) member->note_success();
            return Step::done;
        }
        // As long as nothing was taken from the visitor, another member of the group may serve it.
        visitor_->refused = true;
        const bool elsewhere = may_move_ && has_next_member(*visitor_);
        return refuse(elsewhere ? RelayEnd::unanswered : RelayEnd::refused, std::move(answer->reason));
    }

    static Millis acknowledge_limit(std::chrono::microseconds round_trip) {
        const auto patient = round_trips_to_acknowledge * round_trip;
        return std::max(least_acknowledge_limit, std::chrono::ceil<Millis>(patient));
    }
    void judge_silence(const asio::any_io_executor& executor) {
        if (net::has_unacknowledged(relay_.data_fd()))
            relay_.abort(RelayEnd::unanswered, "the data connection's path is dead");
        else
            wait_for_answer(asio::any_io_executor(executor));
    }
    void wait_for_answer(const asio::any_io_executor& executor) {
        deadline_.emplace(executor, answer_limit, [&relay = relay_] {
            relay.abort(RelayEnd::no_answer, "the client did not answer in time");
        });
    }

    Relay& relay_;
    std::shared_ptr<WaitingVisitor> visitor_;
    bool may_move_;
    std::optional<net::Deadline> deadline_;
    std::size_t smallest_;
    Bytes bytes_;
    std::size_t have_ = 0;
    std::size_t record_size_ = 0;
    bool emptied_ = false;
    net::RelayRefusal refusal_{};
};

void count_and_log(const Log& log, const Route& route, const net::RelayLabel& label,
                   const net::RelayResult& result) {
    auto& counters = *route.counters;
    route.went();
    counters.bytes_in += result.from_outer;
    counters.bytes_out += result.to_outer;
    if (result.end == RelayEnd::refused) counters.refused_total += 1;
    log.info("visitor closed", {{"mapping", label.mapping},
                                {"client", label.client},
                                {"connection", label.id.value},
                                {"visitor", label.visitor},
                                {"service", label.service},
                                {"bytes_in", result.from_outer},
                                {"bytes_out", result.to_outer},
                                {"duration_ms", result.duration.count()},
                                {"reason", net::to_string(result.end)},
                                {"detail", result.detail}});
}

// The data connection was of no use, or the service refused; the visitor has noticed nothing. False when
// there is nowhere to go.
bool move_on(const net::Worker& worker, const StreamHooks& hooks, WaitingVisitor& visitor,
             const std::string& reason) {
    const auto route = visitor.route;
    const bool refused = std::exchange(visitor.refused, false);
    if (!next_member(visitor, Failed::member, reason)) {
        if (refused || visitor.moves >= most_moves) return false;
        ++visitor.moves;
    }
    if (refused) hooks.on_failure(route->mapping, reason);
    worker.log().info("visitor moved", {{"mapping", route->mapping.name},
                                        {"client", route->mapping.client},
                                        {"visitor", to_text(visitor.visitor)},
                                        {"service", route->service},
                                        {"reason", reason}});
    route->went();
    hooks.on_unanswered(std::move(visitor));
    return true;
}

// Of a visitor while its relay runs.
struct Served {
    WaitingVisitor visitor;
    Secret next_key;  // of the data connection's next stream
};

// What the relay's end means for the mapping and the log.
void ended(const net::Worker& worker, const StreamHooks& hooks, WaitingVisitor visitor,
           const net::RelayLabel& label, net::RelayResult result) {
    const bool failed = result.end == RelayEnd::refused || result.end == RelayEnd::no_answer;
    if (result.end == RelayEnd::unanswered) {
        visitor.visitor.fd = std::move(result.outer);
        visitor.visitor.taken = std::move(result.taken);
        if (move_on(worker, hooks, visitor, result.detail)) return;
        result.end = RelayEnd::refused;
        hooks.on_failure(visitor.route->mapping, result.detail);
        count_and_log(worker.log(), *visitor.route, label, result);
        return refuse_visitor(std::move(visitor.visitor));
    }
    count_and_log(worker.log(), *visitor.route, label, result);
    if (!failed) return;
    hooks.on_failure(visitor.route->mapping, result.detail);
    if (visitor.route->member) (void)visitor.route->member->note_failure(Clock::now(), result.detail);
}

}  // namespace

void serve_visitor(net::Worker& worker, Assignment assignment, const StreamHooks& hooks) {
    auto& visitor = assignment.visitor;
    const auto open = stream_open(worker, assignment);
    auto heads = make_heads(worker, assignment.data, open);
    if (!heads) {
        worker.events().remove(assignment.data.fd.get());
        visitor.route->went();
        hooks.on_failure(visitor.route->mapping, heads.error().message);
        return refuse_visitor(std::move(visitor.visitor));
    }
    std::optional<net::RecordLayers> records;
    if (open.encrypt) records = std::move(heads->records);
    auto& relay =
        worker.relays().add({assignment.id, visitor.route->mapping.client, open.mapping, open.visitor,
                             open.encrypt, std::chrono::system_clock::now(), open.service},
                            std::move(visitor.visitor.fd), std::move(assignment.data.fd), std::move(records));
    const auto& options = visitor.route->options;
    if (options.endpoint.is_unix()) relay.set_outer_is_unix();
    const auto& route = *visitor.route;
    relay.set_bandwidths(net::Limiter::mapping, route.bandwidths.in, route.bandwidths.out);
    relay.set_bandwidths(net::Limiter::client, route.client_bandwidths.in, route.client_bandwidths.out);
    worker.relays().limit(assignment.id, {options.times.idle_timeout, options.times.lifetime});
    const auto taken = std::exchange(visitor.visitor.taken, {});
    const auto served = std::make_shared<Served>(Served{std::move(visitor), {}});
    const std::shared_ptr<WaitingVisitor> waiting(served, &served->visitor);
    const auto& data = assignment.data;
    if (open.reuse) relay.set_reusable(nullptr);
    auto answer = std::make_unique<AnswerReader>(relay, worker.executor(), waiting, data);
    if (!open.encrypt) answer->head_opener = std::move(heads->records.opener);
    worker.relays().run(
        assignment.id, std::move(answer),
        [&worker, &hooks, served, session = data.preface.session, ticket = data.preface.ticket](
            const net::RelayLabel& label, net::RelayResult result) {
            if (result.data)
                hooks.on_returned({std::move(*result.data), std::move(result.after_stream),
                                   result.may_have_more || result.hung_up, session, ticket,
                                   std::move(served->next_key)});
            ended(worker, hooks, std::move(served->visitor), label, std::move(result));
        },
        {.opening = heads->opening, .taken = taken, .data_is_watched = true});
    // The visitor's first bytes do not wait for this. A relay ends in a later turn.
    if (open.reuse) served->next_key = tls::next_ticket_key(data.ticket_key, data.preface.ticket);
}

}  // namespace tunnel::server
