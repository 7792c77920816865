// The cipher of data connections: what each end's config makes of it, what then stands on the wire, and a
// change of mind.

#include "tests/integration/support/tunnel_test.hpp"

namespace tunnel::test {
namespace {

using testing::HasSubstr;

constexpr std::size_t bulk = std::size_t{4} * 1024 * 1024;

std::string insists_on(CipherSetting cipher) {
    return cipher ? "cipher = \"" + std::string(to_string(*cipher)) + "\"\n" : "";
}

// The client's first record towards the server: an answer without text, whose length tells the cipher.
Bytes answer_of(Cipher cipher) {
    if (cipher == Cipher::chacha20_poly1305) return {23, 3, 3, 0, 16};
    return {23, 3, 3, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0};
}

struct Settings {
    CipherSetting server;
    CipherSetting client;
    Cipher agreed;
};

class Ciphers : public TunnelTest, public testing::WithParamInterface<Settings> {};

std::string settings_name(const testing::TestParamInfo<Settings>& info) {
    const auto word = [](CipherSetting cipher) {
        return !cipher ? "auto" : *cipher == Cipher::aes_128_gcm ? "aes" : "chacha";
    };
    return std::string(word(info.param.server)) + "_" + word(info.param.client);
}

INSTANTIATE_TEST_SUITE_P(
    ServerAndClient, Ciphers,
    testing::Values(Settings{{}, Cipher::aes_128_gcm, Cipher::aes_128_gcm},
                    Settings{Cipher::aes_128_gcm, {}, Cipher::aes_128_gcm},
                    Settings{{}, Cipher::chacha20_poly1305, Cipher::chacha20_poly1305},
                    Settings{Cipher::chacha20_poly1305, {}, Cipher::chacha20_poly1305},
                    Settings{Cipher::chacha20_poly1305, Cipher::chacha20_poly1305, Cipher::chacha20_poly1305},
                    Settings{{}, {}, cpu_has_aes() ? Cipher::aes_128_gcm : Cipher::chacha20_poly1305}),
    settings_name);

TEST_P(Ciphers, BulkArrivesWholeInBothDirectionsAtOnce) {
    const auto& [of_server, of_client, agreed] = GetParam();
    const Service service(echo);
    start_server(insists_on(of_server));
    start_proxy();
    const auto& client = start_client(insists_on(of_client) + mapping_toml("service", service.address()));
    auto visitor = Peer::connect(client.listening("service"));
    const auto sent = pattern(bulk, 11);
    const auto received = send_and_receive(visitor, sent);
    EXPECT_EQ(received.end, End::orderly);
    EXPECT_TRUE(received.bytes == sent);
    const auto other = agreed == Cipher::aes_128_gcm ? Cipher::chacha20_poly1305 : Cipher::aes_128_gcm;
    EXPECT_TRUE(proxy->saw(answer_of(agreed)));
    EXPECT_FALSE(proxy->saw(answer_of(other)));
    ASSERT_EQ(session_list().sessions_size(), 1);
    EXPECT_EQ(session_list().sessions(0).cipher(), to_string(agreed));
    EXPECT_TRUE(logs.has({"client ready", std::string(to_string(agreed))}));
}

// The heads of a plain data connection are sealed, too.
TEST_F(TunnelTest, PlainMappingsWorkWithChaCha) {
    const Service service(echo);
    start_server(insists_on(Cipher::chacha20_poly1305));
    const auto& client = start_client(mapping_toml("service", service.address(), false));
    auto visitor = Peer::connect(client.listening("service"));
    const auto sent = pattern(bulk, 12);
    EXPECT_TRUE(send_and_receive(visitor, sent).bytes == sent);
}

TEST_F(TunnelTest, AnAlteredByteEndsAConnectionWithChaCha) {
    const Service service(echo);
    start_server(insists_on(Cipher::chacha20_poly1305));
    start_proxy();
    const auto& client = start_client(mapping_toml("service", service.address()));
    const auto port = client.listening("service");
    proxy->flip(Proxy::Direction::to_client, 2000);
    auto visitor = Peer::connect(port);
    const auto received = send_and_receive(visitor, pattern(100'000, 13));
    EXPECT_EQ(received.end, End::reset);
    EXPECT_TRUE(eventually([&] { return logs.has({"visitor closed", "reason=tampered"}); }));
}

TEST_F(TunnelTest, ConfigsThatInsistOnDifferentCiphersAreToldWhatToChange) {
    start_server(insists_on(Cipher::aes_128_gcm));
    auto& client = start_client(insists_on(Cipher::chacha20_poly1305));
    ASSERT_TRUE(eventually([&] { return client.stopped(); }));
    ASSERT_TRUE(client.failure());
    EXPECT_THAT(client.failure()->message, HasSubstr("server.toml says cipher = \"aes-128-gcm\""));
    EXPECT_THAT(client.failure()->message, HasSubstr("write cipher = \"auto\""));
    EXPECT_TRUE(logs.has({"login refused", "no cipher in common"}));
    EXPECT_EQ(session_list().sessions_size(), 0);
}

TEST_F(TunnelTest, AClientThatIsToldAnotherCipherTakesItUpAtOnce) {
    const Service service(echo);
    const auto mapping = mapping_toml("service", service.address());
    start_server();
    auto& client = start_client(insists_on(Cipher::aes_128_gcm) + mapping);
    const auto port = client.listening("service");
    auto before = Peer::connect(port);
    ASSERT_TRUE(before.send(std::string_view("one")));
    ASSERT_EQ(before.receive_text(3), "one");
    client.write_config(insists_on(Cipher::chacha20_poly1305) + mapping);
    client.request_reload();
    ASSERT_TRUE(eventually([&] {
        const auto sessions = session_list();
        return sessions.sessions_size() == 1 && sessions.sessions(0).cipher() == "chacha20-poly1305";
    }));
    // Who is connected goes on as they began.
    ASSERT_TRUE(before.send(std::string_view("two")));
    EXPECT_EQ(before.receive_text(3), "two");
    auto after = Peer::connect(port);
    ASSERT_TRUE(after.send(std::string_view("three")));
    EXPECT_EQ(after.receive_text(5), "three");
}

}  // namespace
}  // namespace tunnel::test
