// Ends that do not speak our version, or not the protocol at all, inside a good TLS connection.

#include <poll.h>
#include <sys/socket.h>

#include "common/tls/identity.hpp"
#include "common/tls/record.hpp"
#include "common/wire/preface.hpp"
#include "common/wire/stream_head.hpp"
#include "tests/integration/support/tls_peer.hpp"
#include "tests/integration/support/tunnel_test.hpp"

namespace tunnel::test {
namespace {

using testing::HasSubstr;
using Code = wire::Goodbye::Code;

TEST_F(TunnelTest, ANewerClientIsToldToUpgradeTheServer) {
    start_server();
    auto peer = TlsPeer::client(link_of("home"));
    peer.send_hello({2, 3});
    const auto said = peer.listen();
    EXPECT_EQ(said.hello, wire::our_versions);
    const auto goodbye = goodbye_of(said);
    ASSERT_TRUE(goodbye);
    EXPECT_EQ(goodbye->code, Code::protocol_error);
    EXPECT_THAT(goodbye->message, HasSubstr("upgrade tunnel-server"));
    EXPECT_EQ(said.end, End::orderly);
    EXPECT_TRUE(eventually([&] { return logs.has({"server", "upgrade tunnel-server"}); }));
}

TEST_F(TunnelTest, AnOlderClientIsToldToUpgradeItself) {
    start_server();
    auto peer = TlsPeer::client(link_of("home"));
    peer.send_hello({0, 0});
    const auto goodbye = goodbye_of(peer.listen());
    ASSERT_TRUE(goodbye);
    EXPECT_THAT(goodbye->message, HasSubstr("upgrade tunnel-client"));
}

// A server that speaks other versions, on the port that the link names.
class OtherServer {
  public:
    // `accepts`: its answer to a login.
    explicit OtherServer(wire::Versions versions, std::optional<wire::LoginAccepted> accepts = std::nullopt)
        : listening_(listen_on_loopback()) {
        auto identity = tls::make_identity("127.0.0.1");
        auto context = tls::ServerContext::make(identity->certificate_pem, identity->key_pem);
        config::JoinLink link{"home", Secret::random(32), {"127.0.0.1", listening_.port}, {}};
        link.trust = (*context)->pin().digest;
        link_ = std::string(text_of(config::to_text(link).reveal()));
        thread_ = std::thread([this, versions, accepts = std::move(accepts), use = *context] {
            pollfd come{listening_.fd.get(), POLLIN, 0};
            if (::poll(&come, 1, static_cast<int>(patience.count())) != 1) return;
            auto peer = TlsPeer::server(net::UniqueFd(::accept(come.fd, nullptr, nullptr)), use);
            peer.send_hello(versions);
            if (accepts) {
                (void)peer.listen([](const TlsPeer::Said& said) { return !said.messages.empty(); });
                peer.send_message(*accepts);
            }
            (void)peer.listen();
        });
    }
    ~OtherServer() { thread_.join(); }
    const std::string& link() const { return link_; }

  private:
    Listening listening_;
    std::string link_;
    std::thread thread_;
};

TEST_F(TunnelTest, AClientOfANewerServerSaysThatItIsToBeUpgraded) {
    const OtherServer other({2, 2});
    use_link("home", other.link());
    auto& client = start_client("");
    ASSERT_TRUE(eventually([&] { return client.stopped(); }));
    ASSERT_TRUE(client.failure());
    EXPECT_EQ(client.failure()->code, Errc::version);
    EXPECT_THAT(client.failure()->message, HasSubstr("upgrade tunnel-client"));
}

TEST_F(TunnelTest, AClientOfAnOlderServerSaysThatTheServerIsToBeUpgraded) {
    const OtherServer other({0, 0});
    use_link("home", other.link());
    auto& client = start_client("");
    ASSERT_TRUE(eventually([&] { return client.stopped(); }));
    ASSERT_TRUE(client.failure());
    EXPECT_THAT(client.failure()->message, HasSubstr("upgrade tunnel-server"));
}

// A server of the release that knew no options by name: what it would drop is not declared to it.
TEST_F(TunnelTest, AClientHoldsBackWhatAnOlderServerWouldDrop) {
    const auto listening = listen_on_loopback();
    const auto identity = tls::make_identity("127.0.0.1");
    const auto context = *tls::ServerContext::make(identity->certificate_pem, identity->key_pem);
    config::JoinLink link{"home", Secret::random(32), {"127.0.0.1", listening.port}, {}};
    link.trust = context->pin().digest;
    use_link("home", std::string(text_of(config::to_text(link).reveal())));
    auto& client = start_client(mapping_toml("plain", "127.0.0.1:80") +
                                mapping_toml("timed", "127.0.0.1:80") + "lifetime = \"1h\"\n");
    auto peer = TlsPeer::server(net::UniqueFd(::accept(listening.fd.get(), nullptr, nullptr)), context);
    peer.send_hello();
    (void)peer.listen([](const auto& said) { return !said.messages.empty(); });
    peer.send_message(wire::LoginAccepted{SessionId{1}, "127.0.0.1", "tunnel-server 0.9"});
    std::optional<wire::Declare> declared;
    (void)peer.listen([&](const TlsPeer::Said& said) {
        for (const auto& message : said.messages) {
            if (const auto* declare = std::get_if<wire::Declare>(&message)) declared = *declare;
        }
        return declared.has_value();
    });
    ASSERT_TRUE(declared);
    ASSERT_EQ(declared->mappings.size(), 1u);
    EXPECT_EQ(declared->mappings[0].name, "plain");
    peer.send_message(wire::MappingStates{});
    ASSERT_TRUE(eventually([&] { return client.state("timed").state == "refused"; }));
    EXPECT_EQ(client.state("timed").error_code, "version");
    EXPECT_THAT(client.state("timed").error, HasSubstr("the server does not know the option lifetime"));
}

TEST_F(TunnelTest, AServerRefusesAMappingWithAnOptionThatItDoesNotKnow) {
    start_server();
    auto peer = TlsPeer::client(link_of("home"));
    peer.log_in(link_of("home"));
    peer.send_message(wire::Declare{
        {{"web", 0, "127.0.0.1:80", true, 0, {{"tea_time", "5pm"}}}, {"plain", 0, "127.0.0.1:80", true, 0}}});
    std::vector<wire::MappingState> states;
    (void)peer.listen([&](const TlsPeer::Said& said) {
        for (const auto& message : said.messages) {
            if (const auto* told = std::get_if<wire::MappingStates>(&message)) states = told->mappings;
        }
        return states.size() == 2;
    });
    ASSERT_EQ(states.size(), 2u);
    EXPECT_EQ(states[0].name, "plain");
    EXPECT_EQ(states[0].state, "listening");
    EXPECT_EQ(states[1].state, "refused");
    EXPECT_EQ(states[1].error_code, "version");
    EXPECT_THAT(states[1].error, HasSubstr("the option tea_time of the mapping \"web\" is unknown here"));
    EXPECT_EQ(mapping_refused("late", {{"to", "22"}, {"tea_time", "5pm"}}).code(), "version");
}

// The newest server that knows AES-128-GCM only.
TEST_F(TunnelTest, AClientThatInsistsOnChaChaSaysThatTheServerIsToBeUpgraded) {
    const OtherServer other(wire::our_versions, wire::LoginAccepted{SessionId{1}, "", "an older server"});
    use_link("home", other.link());
    auto& client = start_client("cipher = \"chacha20-poly1305\"\n");
    ASSERT_TRUE(eventually([&] { return client.stopped(); }));
    ASSERT_TRUE(client.failure());
    EXPECT_EQ(client.failure()->code, Errc::version);
    EXPECT_THAT(client.failure()->message, HasSubstr("upgrade tunnel-server"));
}

TEST_F(TunnelTest, AServerThatInsistsOnChaChaSaysThatTheClientIsToBeUpgraded) {
    start_server("cipher = \"chacha20-poly1305\"\n");
    auto peer = TlsPeer::client(link_of("home"));
    peer.log_in(link_of("home"));
    const auto goodbye = goodbye_of(peer.listen());
    ASSERT_TRUE(goodbye);
    EXPECT_EQ(goodbye->code, Code::refused);
    EXPECT_THAT(goodbye->message, HasSubstr("upgrade tunnel-client"));
}

// The first of the messages that is a Message; waits for it.
template <class Message>
std::optional<Message> hear(TlsPeer& peer) {
    std::optional<Message> heard;
    (void)peer.listen([&](const TlsPeer::Said& said) {
        for (const auto& message : said.messages) {
            if (const auto* found = std::get_if<Message>(&message)) heard = *found;
        }
        return heard.has_value();
    });
    return heard;
}

// A StreamOpen as a client opens it that knows AES-128-GCM only.
Result<wire::StreamOpen> open_stream_with_aes(Peer data, const tls::TicketKey& ticket, SessionId session) {
    wire::Preface preface{session, ticket.number, {}};
    fill_random(preface.nonce);
    const auto head = wire::encode_preface(preface);
    data.send(head);
    data.send(tls::preface_mac(ticket.key, head));
    wire::Nonce nonce{};
    const auto of_server = data.receive(nonce.size());
    if (of_server.size() == nonce.size()) std::copy(of_server.begin(), of_server.end(), nonce.begin());
    auto record = data.receive(tls::record_header_size);
    const auto size = tls::RecordOpener::record_size(record);
    if (!size) return pass(size.error());
    append(record, data.receive(*size - record.size()));
    const auto keys =
        tls::derive_stream_keys(Cipher::aes_128_gcm, ticket.key, ticket.number, preface.nonce, nonce);
    tls::RecordOpener opener(tls::AeadFactory::best(), keys.to_client);
    Bytes plain(record.size());
    const auto opened = opener.open(record, plain);
    if (!opened) return pass(opened.error());
    return wire::decode_stream_open(BytesView(plain).first(opened->size));
}

TEST_F(TunnelTest, AClientThatSaysNothingOfCiphersIsServedWithAes) {
    start_server("[limits]\nready_per_client = 0\n");
    auto peer = TlsPeer::client(link_of("home"));
    peer.log_in(link_of("home"));
    tls::KeyChain chain(*peer.session().export_key(tls::data_exporter_label, {}, tls::session_data_key_size));
    const auto accepted = hear<wire::LoginAccepted>(peer);
    ASSERT_TRUE(accepted);
    EXPECT_EQ(accepted->cipher, Cipher::aes_128_gcm);
    peer.send_message(wire::Declare{{{"web", 0, "127.0.0.1:80", true, 0}}});
    std::optional<wire::MappingStates> states;
    while (!states || states->mappings.empty()) {
        states = hear<wire::MappingStates>(peer);
        ASSERT_TRUE(states);
    }
    const auto visitor = Peer::connect(states->mappings[0].port);
    const auto dial = hear<wire::Dial>(peer);
    ASSERT_TRUE(dial);
    const auto open = open_stream_with_aes(Peer::connect(server->port()), chain.next(), accepted->session);
    ASSERT_TRUE(open) << open.error().message;
    EXPECT_EQ(open->mapping, "web");
}

TEST_F(TunnelTest, AFrameOverTheLimitEndsTheConnectionWithASentence) {
    start_server();
    auto peer = TlsPeer::client(link_of("home"));
    peer.send_hello();
    peer.send(Bytes{0x7f, 0xff, 0xff, 0xff});
    const auto goodbye = goodbye_of(peer.listen());
    ASSERT_TRUE(goodbye);
    EXPECT_EQ(goodbye->code, Code::protocol_error);
    EXPECT_THAT(goodbye->message, HasSubstr("exceeds the limit"));
}

TEST_F(TunnelTest, WhoDeclaresBeforeTheLoginIsSentAway) {
    start_server();
    auto peer = TlsPeer::client(link_of("home"));
    peer.send_hello();
    peer.send_message(wire::Declare{});
    const auto goodbye = goodbye_of(peer.listen());
    ASSERT_TRUE(goodbye);
    EXPECT_EQ(goodbye->code, Code::protocol_error);
    EXPECT_EQ(session_list().sessions_size(), 0);
}

TEST_F(TunnelTest, AnUnknownClientAndAWrongSecretHearTheSameSentence) {
    start_server();
    auto unknown = config::parse_join_link(link_of("home"));
    unknown->client = "nobody";
    auto wrong = config::parse_join_link(link_of("home"));
    wrong->secret = Secret::random(32);
    std::vector<wire::Goodbye> goodbyes;
    for (const auto* link : {&*unknown, &*wrong}) {
        const std::string text(text_of(config::to_text(*link).reveal()));
        auto peer = TlsPeer::client(text);
        peer.log_in(text);
        const auto goodbye = goodbye_of(peer.listen());
        ASSERT_TRUE(goodbye);
        goodbyes.push_back(*goodbye);
    }
    EXPECT_EQ(goodbyes[0], goodbyes[1]);
    EXPECT_EQ(goodbyes[0].code, Code::refused);
    EXPECT_EQ(status().refused_logins(), 2u);
    EXPECT_TRUE(logs.has({"login refused", "unknown client"}));
    EXPECT_TRUE(logs.has({"login refused", "wrong secret"}));
}

TEST_F(TunnelTest, AClientThatCannotDialTellsAndItsVisitorIsReset) {
    start_server("[limits]\nready_per_client = 0\n");
    auto peer = TlsPeer::client(link_of("home"));
    peer.log_in(link_of("home"));
    peer.send_message(wire::Declare{{{"web", 0, "127.0.0.1:80", true, 0}}});
    const auto find_states = [](const TlsPeer::Said& said) {
        for (const auto& message : said.messages) {
            if (const auto* states = std::get_if<wire::MappingStates>(&message)) return states->mappings;
        }
        return std::vector<wire::MappingState>();
    };
    const auto states =
        find_states(peer.listen([&](const auto& said) { return !find_states(said).empty(); }));
    ASSERT_EQ(states.size(), 1u);
    auto visitor = Peer::connect(states[0].port);
    // The client is asked a few times, and then believed.
    constexpr int dials = 3;
    for (int i = 0; i < dials; ++i) {
        std::optional<wire::Dial> dial;
        (void)peer.listen([&](const TlsPeer::Said& said) {
            for (const auto& message : said.messages) {
                if (const auto* asked = std::get_if<wire::Dial>(&message)) dial = *asked;
            }
            return dial.has_value();
        });
        ASSERT_TRUE(dial);
        EXPECT_EQ(dial->count, 1u);
        peer.send_message(wire::DialFailed{dial->first_ticket, "no route"});
        // Once told, a ticket is of no more consequence.
        peer.send_message(wire::DialFailed{dial->first_ticket, "no route"});
    }
    EXPECT_EQ(visitor.receive_all().end, End::reset);
    EXPECT_THAT(mapping_show("web").last_error(), HasSubstr("no route"));
    EXPECT_EQ(mapping_show("web").refused_total(), 1u);
}

}  // namespace
}  // namespace tunnel::test
