#include "tunnel-server/streams/visitor_stream.hpp"

#include <sys/socket.h>

#include "common/net/deadline.hpp"
#include "common/net/relay.hpp"
#include "common/net/stream_io.hpp"

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

// One sealed head, read to its last byte and not beyond, so that what follows stays in the kernel for
// splice(2).
net::awaitable<Result<wire::StreamAnswer>> read_answer(net::Descriptor& data, tls::RecordOpener& opener) {
    Bytes record(tls::record_header_size);
    auto ok = co_await net::read_exactly(data, record);
    if (!ok) co_return pass(ok.error());
    const auto size = tls::RecordOpener::record_size(record);
    if (!size) co_return pass(size.error());
    record.resize(*size);
    ok = co_await net::read_exactly(data, MutableBytes(record).subspan(tls::record_header_size));
    if (!ok) co_return pass(ok.error());
    Bytes plain(record.size());
    const auto opened = opener.open(record, plain);
    if (!opened) co_return pass(opened.error());
    co_return wire::decode_stream_answer(BytesView(plain).first(opened->size));
}

net::awaitable<std::optional<Relay::Refusal>> await_answer(net::Descriptor& data, tls::RecordOpener& opener) {
    net::Deadline deadline(data.get_executor(), answer_limit, [&data] { data.cancel(); });
    auto answer = co_await read_answer(data, opener);
    if (answer && answer->code == wire::StreamAnswer::Code::ready) co_return std::nullopt;
    if (answer) co_return Relay::Refusal{RelayEnd::refused, answer->reason};
    if (deadline.expired())
        co_return Relay::Refusal{RelayEnd::no_answer, "the client did not answer in time"};
    const auto& error = answer.error();
    co_return Relay::Refusal{error.code == Errc::protocol ? RelayEnd::tampered : RelayEnd::data_failed,
                             error.message};
}

void count_and_log(net::Worker& worker, const Assignment& assignment, const net::RelayResult& result) {
    auto& counters = *assignment.counters;
    counters.visitors -= 1;
    counters.bytes_in += result.from_outer;
    counters.bytes_out += result.to_outer;
    if (result.end == RelayEnd::refused) counters.refused_total += 1;
    worker.log().info("visitor closed", {{"mapping", assignment.mapping.name},
                                         {"client", assignment.mapping.client},
                                         {"connection", assignment.open.connection.value},
                                         {"visitor", assignment.open.visitor},
                                         {"bytes_in", result.from_outer},
                                         {"bytes_out", result.to_outer},
                                         {"duration_ms", result.duration.count()},
                                         {"reason", net::to_string(result.end)},
                                         {"detail", result.detail}});
}

}  // namespace

net::awaitable<void> serve_visitor(net::Worker& worker, net::UniqueFd data, Assignment assignment,
                                   StreamFailure on_failure) {
    auto heads = make_heads(worker, assignment);
    // A fresh socket's buffer holds the heads; one that does not is broken.
    const auto sent =
        heads ? ::send(data.get(), heads->opening.data(), heads->opening.size(), MSG_NOSIGNAL | MSG_DONTWAIT)
              : -1;
    if (!heads || sent != static_cast<ssize_t>(heads->opening.size())) {
        assignment.counters->visitors -= 1;
        on_failure(assignment.mapping, "the data connection broke before the stream was opened");
        refuse_visitor(std::move(assignment.visitor));
        co_return;
    }
    net::set_keepalive(data.get(), assignment.liveness);
    net::set_keepalive(assignment.visitor.fd.get(), {Seconds(60), Seconds(120)});
    std::optional<net::RecordLayers> records;
    std::optional<tls::RecordOpener> head_opener;
    if (assignment.open.encrypt)
        records = net::RecordLayers{std::move(heads->sealer), std::move(heads->opener)};
    else
        head_opener = std::move(heads->opener);
    Relay relay(worker.executor(), {worker.pipes(), worker.scratch()}, std::move(assignment.visitor.fd),
                std::move(data), std::move(records));
    const net::RelayTable::Entry entry(
        worker.relays(), relay,
        {assignment.open.connection, assignment.mapping.client, assignment.mapping.name,
         assignment.open.visitor, assignment.open.encrypt, std::chrono::system_clock::now()});
    auto& opener = head_opener ? *head_opener : relay.record_layers()->opener;
    auto pending = relay.run([&opener](net::Descriptor& socket) { return await_answer(socket, opener); });
    const auto result = co_await std::move(pending);
    count_and_log(worker, assignment, result);
    if (result.end == RelayEnd::refused || result.end == RelayEnd::no_answer)
        on_failure(assignment.mapping, result.detail);
}

}  // namespace tunnel::server
