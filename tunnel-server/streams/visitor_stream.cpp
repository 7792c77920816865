#include "tunnel-server/streams/visitor_stream.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <system_error>

#include "common/net/deadline.hpp"
#include "common/net/relay/relay.hpp"

namespace tunnel::server {

namespace {

using net::Relay;
using net::RelayEnd;

// Longer than the longest time a client may take to dial its service.
constexpr Seconds answer_limit{150};

struct Heads {
    Bytes opening;  // the server's nonce and the sealed StreamOpen
    tls::RecordSealer sealer;
    tls::RecordOpener opener;
};

Result<Heads> make_heads(net::Worker& worker, const Assignment& assignment) {
    wire::Nonce nonce;
    fill_random(nonce);
    const auto keys = tls::derive_stream_keys(assignment.ticket_key, assignment.preface.ticket,
                                              assignment.preface.nonce, nonce);
    Heads heads{Bytes(nonce.begin(), nonce.end()), tls::RecordSealer(worker.ciphers(), keys.to_client),
                tls::RecordOpener(worker.ciphers(), keys.to_server)};
    const auto open = wire::encode(assignment.open);
    heads.opening.resize(wire::nonce_size + open.size() + tls::record_overhead);
    const auto sealed = heads.sealer.seal(tls::RecordType::application_data, open,
                                          MutableBytes(heads.opening).subspan(wire::nonce_size));
    if (!sealed) return pass(sealed.error());
    return heads;
}

// The client's sealed answer, read to its last byte and not beyond, so that what follows stays in the kernel
// for splice(2).
class AnswerReader final : public net::RelayPrologue {
  public:
    AnswerReader(Relay& relay, const asio::any_io_executor& executor)
        : relay_(relay), deadline_(executor, answer_limit, [&relay] {
              relay.abort(RelayEnd::no_answer, "the client did not answer in time");
          }) {}
    // Opens the answer; of a plain data connection's head only.
    std::optional<tls::RecordOpener> head_opener;

    Step read(int data_fd) override {
        for (;;) {
            const auto n = ::recv(data_fd, record_.data() + have_, record_.size() - have_, MSG_DONTWAIT);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return Step::incomplete;
            if (n <= 0)
                return refuse(RelayEnd::data_failed, n == 0 ? "the client closed the data connection"
                                                            : std::generic_category().message(errno));
            have_ += static_cast<std::size_t>(n);
            if (have_ < record_.size()) continue;
            if (have_ > tls::record_header_size) return judge();
            const auto size = tls::RecordOpener::record_size(record_);
            if (!size) return refuse(RelayEnd::tampered, size.error().message);
            record_.resize(*size);
        }
    }
    net::RelayRefusal refusal() override { return std::move(refusal_); }

  private:
    Step refuse(RelayEnd end, std::string detail) {
        refusal_ = {end, std::move(detail)};
        return Step::refused;
    }
    Step judge() {
        auto& opener = head_opener ? *head_opener : relay_.record_layers()->opener;
        Bytes plain(record_.size());
        const auto opened = opener.open(record_, plain);
        if (!opened) return refuse(RelayEnd::tampered, opened.error().message);
        auto answer = wire::decode_stream_answer(BytesView(plain).first(opened->size));
        if (!answer) return refuse(RelayEnd::tampered, answer.error().message);
        if (answer->code == wire::StreamAnswer::Code::ready) return Step::done;
        return refuse(RelayEnd::refused, std::move(answer->reason));
    }

    Relay& relay_;
    net::Deadline deadline_;
    Bytes record_ = Bytes(tls::record_header_size);
    std::size_t have_ = 0;
    net::RelayRefusal refusal_{};
};

void count_and_log(const Log& log, MappingCounters& counters, const net::RelayLabel& label,
                   const net::RelayResult& result) {
    counters.visitors -= 1;
    counters.bytes_in += result.from_outer;
    counters.bytes_out += result.to_outer;
    if (result.end == RelayEnd::refused) counters.refused_total += 1;
    log.info("visitor closed", {{"mapping", label.mapping},
                                {"client", label.client},
                                {"connection", label.id.value},
                                {"visitor", label.visitor},
                                {"bytes_in", result.from_outer},
                                {"bytes_out", result.to_outer},
                                {"duration_ms", result.duration.count()},
                                {"reason", net::to_string(result.end)},
                                {"detail", result.detail}});
}

}  // namespace

void serve_visitor(net::Worker& worker, net::UniqueFd data, Assignment assignment, StreamFailure on_failure) {
    auto heads = make_heads(worker, assignment);
    // A fresh socket's buffer holds the heads; one that does not is broken.
    const auto sent =
        heads ? ::send(data.get(), heads->opening.data(), heads->opening.size(), MSG_NOSIGNAL | MSG_DONTWAIT)
              : -1;
    if (!heads || sent != static_cast<ssize_t>(heads->opening.size())) {
        assignment.counters->visitors -= 1;
        on_failure(assignment.mapping, "the data connection broke before the stream was opened");
        refuse_visitor(std::move(assignment.visitor));
        return;
    }
    net::set_keepalive(data.get(), assignment.liveness);
    net::set_keepalive(assignment.visitor.fd.get(), {Seconds(60), Seconds(120)});
    std::optional<net::RecordLayers> records;
    if (assignment.open.encrypt)
        records = net::RecordLayers{std::move(heads->sealer), std::move(heads->opener)};
    const auto id = assignment.open.connection;
    auto& relay = worker.relays().add(
        {id, assignment.mapping.client, assignment.mapping.name, std::move(assignment.open.visitor),
         assignment.open.encrypt, std::chrono::system_clock::now()},
        std::move(assignment.visitor.fd), std::move(data), std::move(records));
    auto answer = std::make_unique<AnswerReader>(relay, worker.executor());
    if (!assignment.open.encrypt) answer->head_opener = std::move(heads->opener);
    worker.relays().run(
        id, std::move(answer),
        [&worker, counters = std::move(assignment.counters), on_failure = std::move(on_failure)](
            const net::RelayLabel& label, const net::RelayResult& result) {
            count_and_log(worker.log(), *counters, label, result);
            if (result.end == RelayEnd::refused || result.end == RelayEnd::no_answer)
                on_failure({label.client, label.mapping}, result.detail);
        });
}

}  // namespace tunnel::server
