// Whole transfers through two relays, with everything about them chosen at random. TUNNEL_TEST_SEED replays a
// run, TUNNEL_RELAY_SCENARIOS sets how many scenarios it has.

#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <random>

#include "tests/unit/common/net/relay_chain.hpp"
#include "tests/unit/common/wire/seeded_random.hpp"

namespace tunnel::net {
namespace {

using namespace test;

std::size_t scenario_count() {
    const char* given = std::getenv("TUNNEL_RELAY_SCENARIOS");
    return given != nullptr ? std::strtoul(given, nullptr, 10) : 400;
}

// Sizes around what the relay's own buffers, records and pipes hold, and some bulk.
std::size_t a_size(wire::SeededRandom& random) {
    constexpr std::size_t edges[] = {0, 1, 4096, 16384, 65536, 98304, 262144};
    switch (random.below(8)) {
        case 0:
            return 0;
        case 1:
        case 2:
            return random.below(200);
        case 3:
        case 4: {
            const auto edge = edges[random.below(std::size(edges))];
            return edge + random.below(5) - std::min<std::size_t>(edge, 2);
        }
        case 5:
        case 6:
            return random.below(400'000);
        default:
            return random.below(4'000'000);
    }
}

std::size_t a_chunk(wire::SeededRandom& random, std::size_t total) {
    constexpr std::size_t chunks[] = {1, 100, 1460, 16384, 65536, 200'000};
    // Not more than some thousand system calls a direction.
    return std::max(chunks[random.below(std::size(chunks))], total / 3000 + 1);
}

BufferSizes buffers(wire::SeededRandom& random, bool small) {
    BufferSizes sizes;
    if (!small) return sizes;
    if (random.coin()) sizes.send = 4608;
    if (random.coin()) sizes.receive = 4096;
    return sizes;
}

PartyPlan a_party(wire::SeededRandom& random, std::size_t most) {
    PartyPlan plan;
    plan.seed = random.number();
    plan.to_send = std::min(a_size(random), most);
    plan.write_chunk = a_chunk(random, plan.to_send);
    plan.turns_between_writes = random.coin() ? 0 : static_cast<int>(random.below(4));
    plan.turns_between_reads = random.coin() ? 0 : static_cast<int>(random.below(4));
    plan.read_start = random.below(3) == 0 ? ReadStart::when_sender_blocked : ReadStart::at_once;
    return plan;
}

ChainPlan a_plan(wire::SeededRandom& random) {
    ChainPlan plan;
    plan.mode = random.coin() ? Mode::encrypted : Mode::plain;
    plan.kernel = static_cast<KernelEnds>(random.below(4));
    plan.outer = random.below(4) == 0 ? Family::local : Family::tcp;
    plan.reuse = random.coin();
    const bool small_outer = random.below(5) == 0;
    const bool small_data = random.below(5) == 0;
    plan.outer_buffers = buffers(random, small_outer);
    plan.data_buffers = buffers(random, small_data);
    // Tiny windows make the kernel wait for timers now and then.
    const std::size_t most = small_outer || small_data ? 60'000 : 4'000'000;
    plan.visitor = a_party(random, most);
    plan.service = a_party(random, most);
    plan.visitor.peer_seed = plan.service.seed;
    plan.service.peer_seed = plan.visitor.seed;
    plan.visitor.read_chunk = a_chunk(random, plan.service.to_send);
    plan.service.read_chunk = a_chunk(random, plan.visitor.to_send);
    switch (random.below(3)) {
        case 0:
            plan.visitor.half_close = HalfClose::after_eof;
            break;
        case 1:
            plan.service.half_close = HalfClose::after_eof;
            break;
        default:
            break;
    }
    return plan;
}

PipePool::Limits a_pool(wire::SeededRandom& random) {
    PipePool::Limits limits;
    switch (random.below(4)) {
        case 0:
            limits.leased = random.below(3);  // none at all, or too few for every direction
            break;
        case 1:
            limits.wanted_size = 4096;
            limits.useful_size = 4096;
            break;
        case 2:
            limits.kept = 0;
            break;
        default:
            break;
    }
    return limits;
}

// What the chains of a batch may share: speeds that make them wait for their turns.
std::shared_ptr<Bandwidth> a_bandwidth(wire::SeededRandom& random) {
    const std::uint64_t rate = 20'000'000 + random.below(200'000'000);
    return std::make_shared<Bandwidth>(Bandwidth::Rate{rate, rate / 50});
}

// Directions that were handed over, of those that could be.
std::size_t handed_over = 0;

void count_kernel(const Chain& chain) {
    for (const auto* side : {&chain.server_side, &chain.client_side})
        handed_over += std::size_t{side->result()->sealed_by_kernel} + side->result()->opened_by_kernel;
    if (chain.plan.kernel != KernelEnds::none) return;
    EXPECT_FALSE(chain.server_side.result()->sealed_by_kernel ||
                 chain.client_side.result()->sealed_by_kernel);
}

// Data connections that were left to be used again.
std::size_t left_over = 0;

void expect_reuse(const Chain& chain) {
    const auto& server = chain.server_side;
    const auto& client = chain.client_side;
    // An end whose kernel has taken a direction keeps its connection for no other.
    const auto by_kernel = [](const RunningRelay& side) {
        return side.result()->sealed_by_kernel || side.result()->opened_by_kernel;
    };
    if (by_kernel(server) || by_kernel(client)) return;
    if (!chain.plan.reuse) {
        EXPECT_FALSE(server.returned() || client.returned());
        return;
    }
    const bool both = expect_reusable_at_both_ends(chain);
    left_over += both ? 1 : 0;
    const auto most = std::max(chain.plan.visitor.to_send, chain.plan.service.to_send);
    if (chain.plan.mode == Mode::encrypted) {
        EXPECT_TRUE(both);
    } else if (most > wire::ChunkWriter::most_chunks * wire::ChunkWriter::bulk) {
        EXPECT_FALSE(both) << "bulk leaves the chunks behind";
    }
}

// Scenarios that run side by side on one worker, so that they share its scratch memory and pipes.
constexpr std::size_t batch = 16;

void run_batch(wire::SeededRandom& random, std::size_t first, std::size_t count) {
    const auto limits = a_pool(random);
    TestLoop loop;
    Lent lent(loop, limits);
    // By turns, so that even a short run hands directions over.
    constexpr std::uint64_t after[] = {0, 1, 0, 300'000};
    lent.kernel_tls.after = after[first / batch % std::size(after)];
    std::deque<Chain> chains;
    const bool limited = random.below(3) == 0;
    const auto in = a_bandwidth(random);
    const auto out = random.coin() ? a_bandwidth(random) : std::make_shared<Bandwidth>();
    for (std::size_t i = 0; i < count; ++i) {
        auto& chain = chains.emplace_back(loop, lent, a_plan(random));
        auto& side = random.coin() ? chain.server_side : chain.client_side;
        if (limited) side.relay().set_bandwidths(Limiter::mapping, in, out);
        if (limited) side.relay().set_bandwidths(Limiter::client, nullptr, random.coin() ? in : nullptr);
        chain.start();
    }
    loop.run();
    EXPECT_EQ(lent.pipes.leased(), 0u);
    EXPECT_EQ(lent.bandwidth.size(), 0u);
    for (std::size_t i = 0; i < count; ++i) {
        SCOPED_TRACE(fmt::format(
            "scenario {}: {}\n  pipes: {} leased at most, {} kept, {} wanted; kernel TLS after {} bytes; {}",
            first + i, chains[i].plan.text(), limits.leased, limits.kept, limits.wanted_size,
            lent.kernel_tls.after, limited ? "limited" : "not limited"));
        expect_complete(chains[i]);
        count_kernel(chains[i]);
        expect_reuse(chains[i]);
    }
}

TEST(RelayTorture, EveryByteArrivesOnceAndInOrder) {
    wire::SeededRandom random;
    const auto descriptors = open_descriptors();
    const std::size_t count = scenario_count();
    for (std::size_t done = 0; done < count && !HasFailure(); done += batch)
        run_batch(random, done, std::min(batch, count - done));
    EXPECT_EQ(open_descriptors(), descriptors);
    std::printf("kernel TLS took %zu directions; %zu data connections were left to be used again\n",
                handed_over, left_over);
    if (count >= 2 * batch) {
        EXPECT_GT(left_over, 0u);
    }
    if (test_kernel_tls().available() && count >= 2 * batch) {
        EXPECT_GT(handed_over, 0u);
    }
}

}  // namespace
}  // namespace tunnel::net
