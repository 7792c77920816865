#pragma once
// Two relays back to back as in production: visitor <-> server's relay <-data connection-> client's relay <->
// service, all on one loop and, as on one worker, with shared scratch memory and pipes.

#include <memory>
#include <optional>
#include <string>

#include "common/net/relay/relay.hpp"
#include "common/net/worker.hpp"
#include "tests/unit/common/net/party.hpp"
#include "tests/unit/common/net/test_loop.hpp"
#include "tests/unit/common/net/test_sockets.hpp"

namespace tunnel::net::test {

enum class Mode { plain, encrypted };
// Who may use kernel TLS, where the machine has it.
enum class KernelEnds { none, server, client, both };

// Both ends' record layers, as the key schedule makes them, each with the keys that kernel TLS would be
// given.
struct LayerPair {
    explicit LayerPair(std::uint64_t record_limit = tls::default_record_limit);
    RecordLayers server;
    RecordLayers client;
};

// What this machine's kernel can do, asked once; switched off by TUNNEL_TEST_KERNEL_TLS=off.
const KernelTls& test_kernel_tls();

// What a worker lends to its relays.
struct Lent {
    explicit Lent(TestLoop& loop, PipePool::Limits limits = {})
        : context(loop.context()), events(context), pipes(limits), kernel_tls{test_kernel_tls(), 0} {}
    asio::io_context& context;
    EventSet events;
    PipePool pipes;
    ScratchBuffers scratch;
    BandwidthQueue bandwidth{context};
    OpeningQueue openings{context};
    KernelTlsUse kernel_tls;
    RelayResources resources() { return {context, events, pipes, scratch, bandwidth, openings, kernel_tls}; }
};

// A relay and what it says when it has ended. The loop's run() waits for it once it was started.
class RunningRelay {
  public:
    RunningRelay(TestLoop& loop, Lent& lent, UniqueFd outer, UniqueFd data,
                 std::optional<RecordLayers> records);
    Relay& relay() { return relay_; }
    void start(std::unique_ptr<RelayPrologue> prologue = nullptr, const RelayBeginning& beginning = {});
    const std::optional<RelayResult>& result() const { return result_; }
    // Of one that ended unanswered.
    UniqueFd take_outer() { return std::move(result_->outer); }
    // The data connection, when it was given back; out of the event set.
    const UniqueFd& returned() const { return returned_; }

  private:
    TestLoop& loop_;
    Relay relay_;
    std::optional<RelayResult> result_;
    UniqueFd returned_;
};

struct ChainPlan {
    Mode mode = Mode::plain;
    KernelEnds kernel = KernelEnds::both;
    PartyPlan visitor;
    PartyPlan service;
    Family outer = Family::tcp;
    BufferSizes outer_buffers;
    BufferSizes data_buffers;
    bool reuse = false;  // the data connection may be used again, which the client then says
    std::string text() const;
};

class Chain {
  public:
    // The data connection runs from socket to socket, or through the two ends of a `cut` one, between which
    // the caller puts something.
    enum class Data { joined, cut };
    Chain(TestLoop& loop, Lent& lent, ChainPlan plan, Data data = Data::joined);

    // Spawns all four on the loop.
    void start();
    bool relays_ended() const { return server_side.result() && client_side.result(); }

    ChainPlan plan;
    TestLoop& loop;

  private:
    TcpPair visitor_leg_;
    TcpPair service_leg_;
    TcpPair server_data_;
    std::optional<TcpPair> client_data_;
    std::optional<LayerPair> layers_;

  public:
    Party visitor;
    Party service;
    RunningRelay server_side;
    RunningRelay client_side;
    // Data::cut only: where the server's and the client's halves of the data connection end.
    UniqueFd server_end;
    UniqueFd client_end;
};

// What the client says on a data connection that can be used again.
constexpr std::string_view again = "once more";

// Every byte arrived once, in order and unaltered, both ends saw an orderly end, and the counters say so.
void expect_complete(const Chain& chain);
// Of a chain that is complete: both ends have given the data connection back, and the client's words are the
// only bytes on it. False when neither has.
bool expect_reusable_at_both_ends(const Chain& chain);
// Both parties were told that the connection broke, and what they got until then is the beginning of what was
// sent.
void expect_broken(const Chain& chain);

}  // namespace tunnel::net::test
