#include "tests/unit/common/net/relay_chain.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <string_view>

#include "common/core/secret.hpp"
#include "common/net/socket.hpp"

namespace tunnel::net::test {

namespace {

RecordLayers layers_of(tls::DirectionKeys seal, tls::DirectionKeys open, std::uint64_t limit) {
    const auto factory = tls::AeadFactory::best();
    RecordLayers layers{tls::RecordSealer(factory, seal, limit), tls::RecordOpener(factory, open, limit),
                        nullptr};
    layers.keys.reset(new RecordKeys{std::move(seal), std::move(open)});
    return layers;
}

tls::StreamKeys stream_keys() {
    const Bytes ticket(32, 0x42);
    return tls::derive_stream_keys(Cipher::aes_128_gcm, Secret(BytesView(ticket)), TicketNumber{7},
                                   tls::StreamNonce{1}, tls::StreamNonce{2});
}

UniqueFd prepared(UniqueFd fd) {
    prepare_for_relay(fd.get(), {});
    return fd;
}

std::optional<RecordLayers> take(std::optional<LayerPair>& layers, RecordLayers LayerPair::*side,
                                 bool kernel) {
    if (!layers) return std::nullopt;
    auto taken = std::move(*layers.*side);
    if (!kernel) taken.keys.reset();
    return taken;
}

bool has(KernelEnds ends, KernelEnds end) {
    return ends == end || ends == KernelEnds::both;
}

}  // namespace

const KernelTls& test_kernel_tls() {
    static const KernelTls support = [] {
        const char* given = std::getenv("TUNNEL_TEST_KERNEL_TLS");
        const bool off = given != nullptr && std::string_view(given) == "off";
        return off ? KernelTls::off({}) : KernelTls::probe();
    }();
    return support;
}

LayerPair::LayerPair(std::uint64_t record_limit)
    : server(layers_of(stream_keys().to_client, stream_keys().to_server, record_limit)),
      client(layers_of(stream_keys().to_server, stream_keys().to_client, record_limit)) {}

RunningRelay::RunningRelay(TestLoop& loop, Lent& lent, UniqueFd outer, UniqueFd data,
                           std::optional<RecordLayers> records)
    : loop_(loop),
      relay_(lent.resources(), prepared(std::move(outer)), prepared(std::move(data)), std::move(records)) {}

void RunningRelay::start(std::unique_ptr<RelayPrologue> prologue, const RelayBeginning& beginning) {
    loop_.begin();
    relay_.start(
        std::move(prologue),
        [this](RelayResult result) {
            if (result.data) returned_ = result.data->unwatch();
            result.data.reset();
            result_ = std::move(result);
            loop_.end();
        },
        beginning);
}

std::string ChainPlan::text() const {
    constexpr std::array<std::string_view, 4> ends{"neither end", "the server", "the client", "both ends"};
    return fmt::format(
        "{}, {}, {}, kernel TLS for {}\n  visitor: {}\n  service: {}\n  outer buffers {}/{}, data buffers "
        "{}/{}",
        mode == Mode::plain ? "plain" : "encrypted", outer == Family::tcp ? "TCP" : "Unix sockets",
        reuse ? "to be used again" : "used once", ends[static_cast<std::size_t>(kernel)], visitor.text(),
        service.text(), outer_buffers.send, outer_buffers.receive, data_buffers.send, data_buffers.receive);
}

Chain::Chain(TestLoop& used_loop, Lent& lent, ChainPlan chain_plan, Data data)
    : plan(chain_plan),
      loop(used_loop),
      visitor_leg_(plan.outer_buffers, plan.outer),
      service_leg_(plan.outer_buffers, plan.outer),
      server_data_(plan.data_buffers),
      client_data_(data == Data::cut ? std::optional<TcpPair>(plan.data_buffers) : std::nullopt),
      layers_(plan.mode == Mode::encrypted ? std::optional<LayerPair>(std::in_place) : std::nullopt),
      visitor(loop.executor(), std::move(visitor_leg_.near), plan.visitor),
      service(loop.executor(), std::move(service_leg_.far), plan.service),
      server_side(loop, lent, std::move(visitor_leg_.far), std::move(server_data_.far),
                  take(layers_, &LayerPair::server, has(plan.kernel, KernelEnds::server))),
      client_side(loop, lent, std::move(service_leg_.near),
                  std::move(client_data_ ? client_data_->near : server_data_.near),
                  take(layers_, &LayerPair::client, has(plan.kernel, KernelEnds::client))) {
    if (client_data_) {
        server_end = std::move(server_data_.near);
        client_end = std::move(client_data_->far);
    }
    if (plan.outer == Family::local) {
        server_side.relay().set_outer_is_unix();
        client_side.relay().set_outer_is_unix();
    }
    if (plan.reuse) {
        server_side.relay().set_reusable(nullptr);
        client_side.relay().set_reusable([] { return Bytes(again.begin(), again.end()); });
    }
    visitor.set_peer(service);
    service.set_peer(visitor);
}

void Chain::start() {
    server_side.start();
    client_side.start();
    loop.spawn(visitor.run());
    loop.spawn(service.run());
}

namespace {

void expect_relay_complete(const RunningRelay& side, std::uint64_t from_outer, std::uint64_t to_outer) {
    ASSERT_TRUE(side.result());
    EXPECT_EQ(to_string(side.result()->end), to_string(RelayEnd::finished)) << side.result()->detail;
    EXPECT_EQ(side.result()->detail, "");
    EXPECT_EQ(side.result()->from_outer, from_outer);
    EXPECT_EQ(side.result()->to_outer, to_outer);
}

void expect_party_complete(const Party& party, std::size_t expected) {
    EXPECT_EQ(party.sent(), party.plan().to_send);
    EXPECT_EQ(party.received(), expected);
    EXPECT_FALSE(party.corrupted());
    EXPECT_TRUE(party.got_eof());
    EXPECT_FALSE(party.got_reset());
    EXPECT_FALSE(party.is_broken()) << "a reset came after the orderly end";
}

void expect_party_broken(const Party& party, const Party& peer) {
    EXPECT_FALSE(party.corrupted());
    EXPECT_LE(party.received(), peer.sent());
    if (party.has_reset()) return;
    EXPECT_TRUE(party.got_reset());
    EXPECT_FALSE(party.got_eof()) << "a broken transfer was taken for a complete one";
}

}  // namespace

void expect_complete(const Chain& chain) {
    const auto in = chain.plan.visitor.to_send;
    const auto out = chain.plan.service.to_send;
    {
        SCOPED_TRACE("the visitor");
        expect_party_complete(chain.visitor, out);
    }
    {
        SCOPED_TRACE("the service");
        expect_party_complete(chain.service, in);
    }
    {
        SCOPED_TRACE("the server's relay");
        expect_relay_complete(chain.server_side, in, out);
    }
    SCOPED_TRACE("the client's relay");
    expect_relay_complete(chain.client_side, out, in);
}

bool expect_reusable_at_both_ends(const Chain& chain) {
    const auto& server = chain.server_side;
    const auto& client = chain.client_side;
    EXPECT_EQ(static_cast<bool>(server.returned()), static_cast<bool>(client.returned()));
    if (!server.returned() || !client.returned()) return false;
    EXPECT_TRUE(client.result()->after_stream.empty());
    auto words = server.result()->after_stream;
    append(words, receive_exactly(server.returned().get(), again.size() - words.size()));
    EXPECT_EQ(text_of(words), again);
    for (const int fd : {server.returned().get(), client.returned().get()}) {
        Byte none = 0;
        EXPECT_EQ(::recv(fd, &none, 1, MSG_DONTWAIT), -1);
        EXPECT_EQ(errno, EAGAIN) << "it is open, and nothing is left on it";
    }
    return true;
}

void expect_broken(const Chain& chain) {
    {
        SCOPED_TRACE("the visitor");
        expect_party_broken(chain.visitor, chain.service);
    }
    SCOPED_TRACE("the service");
    expect_party_broken(chain.service, chain.visitor);
    ASSERT_TRUE(chain.server_side.result());
    ASSERT_TRUE(chain.client_side.result());
    EXPECT_NE(chain.server_side.result()->end, RelayEnd::finished);
    EXPECT_NE(chain.client_side.result()->end, RelayEnd::finished);
    EXPECT_FALSE(chain.server_side.returned());
    EXPECT_FALSE(chain.client_side.returned());
}

}  // namespace tunnel::net::test
