// Where visitors come besides one port of every address: ranges, one address, Unix sockets; and services that
// are such.

#include <sys/stat.h>

#include "common/core/address.hpp"
#include "tests/integration/support/tunnel_test.hpp"

namespace tunnel::test {
namespace {

using testing::HasSubstr;

// One [[mapping]] with these lines.
std::string mapping_of(const std::string& name, const std::string& lines) {
    return "[[mapping]]\nname = \"" + name + "\"\n" + lines + "\n";
}

std::string quoted(const std::string& key, const std::string& value) {
    return key + " = \"" + value + "\"\n";
}

bool echoes(Peer& visitor, std::string_view text = "to and fro") {
    return visitor.send(text) && visitor.receive_text(text.size()) == text;
}

TEST_P(BothModes, EachPortOfARangeLeadsToItsOwnPortOfTheService) {
    constexpr std::size_t count = 20;  // more than the listeners have on every worker
    auto row = listen_on_row(count);
    const std::string ports = to_string(PortRange{row.front().port, row.back().port});
    std::list<Service> services;
    for (auto& listening : row)
        services.emplace_back([port = listening.port](Peer& peer) { peer.send(std::to_string(port)); },
                              std::move(listening));
    start_server();
    const auto range = free_row(count);
    auto& client = start_client(mapping_of("games", quoted("tcp", to_string(range)) +
                                                        quoted("to", "127.0.0.1:" + ports) +
                                                        "encrypt = " + (encrypted() ? "true" : "false")));
    ASSERT_EQ(client.listening("games"), range.first);
    EXPECT_EQ(client.state("games").public_address, "127.0.0.1:" + to_string(range));
    auto public_port = range.first;
    for (const auto& service : services)
        EXPECT_EQ(Peer::connect(public_port++).receive_text(5), std::to_string(service.port()));
    EXPECT_EQ(mapping_show("games").visitors_total(), count);
    EXPECT_EQ(mapping_show("games").service(), "127.0.0.1:" + ports);

    // The same made by the admin; the client knows nothing of it.
    const auto admins = free_row(count);
    mapping_add_with("admins", {{"tcp", to_string(admins)}, {"to", "127.0.0.1:" + ports}});
    ASSERT_EQ(client.listening("admins"), admins.first);
    EXPECT_EQ(Peer::connect(admins.last).receive_text(5), std::to_string(services.back().port()));
}

TEST_F(TunnelTest, ARangeListensOnAllOfItsPortsOrOnNone) {
    start_server();
    auto row = listen_on_row(3);
    const PortRange range{row.front().port, row.back().port};
    row.erase(row.begin());  // the first is free, the second is somebody's
    auto& client = start_client(
        mapping_of("games", quoted("tcp", to_string(range)) + quoted("to", "127.0.0.1:7000-7002")));
    ASSERT_TRUE(eventually([&] { return client.state("games").state == "refused"; }));
    EXPECT_THAT(client.state("games").error, HasSubstr(std::to_string(row.front().port) + " is in use"));
    EXPECT_THROW((void)Peer::connect(range.first), std::system_error);
    EXPECT_EQ(mapping_refused("more", {{"tcp", to_string(range)}, {"to", "7000-7002"}}).code(), "conflict");

    row.clear();
    EXPECT_EQ(client.listening("games"), range.first) << "it is tried again";
}

TEST_F(TunnelTest, RangesOfTwoMappingsDoNotMeetAndStayWithinAllowPorts) {
    const auto range = free_row(4);
    start_server("allow_ports = [\"" + std::to_string(range.first) + "-" + std::to_string(range.first + 2) +
                 "\"]\n");
    const auto first = std::to_string(range.first);
    const auto second = std::to_string(range.first + 1);
    const auto last = std::to_string(range.last);
    auto& client = start_client(
        mapping_of("a", quoted("tcp", first + "-" + second) + quoted("to", "1-2")) +
        mapping_of("b", quoted("tcp", std::to_string(range.first + 2) + "-" + last) + quoted("to", "1-2")));
    ASSERT_EQ(client.listening("a"), range.first);
    ASSERT_TRUE(eventually([&] { return client.state("b").state == "refused"; }));
    EXPECT_THAT(client.state("b").error, HasSubstr("port " + last + " is not among the ports"));
    const auto taken = mapping_refused("c", {{"tcp", second + "-" + last}, {"to", "1-3"}});
    EXPECT_THAT(taken.message(), HasSubstr("port " + second + " is taken by the mapping \"a\""));
}

TEST_F(TunnelTest, AMappingListensOnTheAddressThatItNames) {
    const Service service(echo);
    start_server("bind = [\"127.0.0.1\", \"127.0.0.3\"]\n");
    const auto port = std::to_string(free_row(1).first);
    auto& client = start_client(
        mapping_of("here", quoted("tcp", "127.0.0.3:" + port) + quoted("to", service.address())) +
        mapping_of("there", quoted("tcp", "127.0.0.1:" + port) + quoted("to", service.address())) +
        mapping_of("chosen", quoted("tcp", "127.0.0.3:0") + quoted("to", service.address())) +
        mapping_of("beyond", quoted("tcp", "127.0.0.2:" + port) + quoted("to", service.address())));
    ASSERT_NE(client.listening("here"), 0);
    EXPECT_EQ(client.state("here").public_address, "127.0.0.3:" + port);
    const auto number = static_cast<Port>(std::stoi(port));
    auto visitor = Peer::connect_to("127.0.0.3", number);
    EXPECT_TRUE(echoes(visitor));
    EXPECT_NE(client.listening("there"), 0) << "the same port of another address";
    const auto chosen = client.listening("chosen");
    auto another = Peer::connect_to("127.0.0.3", chosen);
    EXPECT_TRUE(echoes(another));
    EXPECT_THROW((void)Peer::connect(chosen), std::system_error);
    EXPECT_EQ(client.state("beyond").error_code, "not_allowed");
    EXPECT_THAT(client.state("beyond").error, HasSubstr("127.0.0.2 is not among the addresses"));
    // The admin is not bound by it.
    mapping_add_with("admins", {{"tcp", "127.0.0.2:" + port}, {"to", service.address()}});
    ASSERT_NE(client.listening("admins"), 0);
    auto third = Peer::connect_to("127.0.0.2", number);
    EXPECT_TRUE(echoes(third));
    EXPECT_EQ(mapping_refused("no", {{"tcp", "192.0.2.1:" + port}, {"to", "22"}}).code(), "invalid")
        << "not this host's";
}

TEST_P(BothModes, AServiceMayBeAUnixSocket) {
    const auto path = (folder / "service.sock").string();
    const Service service(echo, listen_on_path(path));
    start_server();
    auto& client = start_client(
        mapping_of("web", quoted("to", "unix:" + path) + "encrypt = " + (encrypted() ? "true" : "false")));
    const auto port = client.listening("web");
    ASSERT_NE(port, 0);
    auto visitor = Peer::connect(port);
    const auto bytes = pattern(3'000'000);
    const auto received = send_and_receive(visitor, bytes);
    EXPECT_EQ(received.bytes, bytes);
    EXPECT_EQ(received.end, End::orderly);
}

TEST_F(TunnelTest, AnAdminsUnixServiceNeedsARuleOfTheClient) {
    const auto path = (folder / "service.sock").string();
    const Service service(echo, listen_on_path(path));
    start_server();
    auto& client = start_client("allow = [\"127.0.0.0/8\", \"::1\"]\n");
    ASSERT_TRUE(eventually([&] { return session_list().sessions_size() == 1; }));
    mapping_add("web", "unix:" + path);
    EXPECT_TRUE(eventually([&] { return mapping_show("web").state() == "refused"; }));
    EXPECT_THAT(mapping_show("web").last_error(), HasSubstr("does not allow unix:" + path));
    client.write_config("allow = [\"unix:" + folder.string() + "/*\"]\n");
    client.request_reload();
    const auto port = client.listening("web");
    ASSERT_NE(port, 0);
    auto visitor = Peer::connect(port);
    EXPECT_TRUE(echoes(visitor));
}

TEST_F(TunnelTest, AUnixServiceThatIsNotThereIsTold) {
    start_server();
    const auto path = (folder / "nobody.sock").string();
    auto& client = start_client(mapping_of("web", quoted("to", "unix:" + path)));
    EXPECT_EQ(Peer::connect(client.listening("web")).receive_all().end, End::reset);
    EXPECT_TRUE(eventually([&] { return !mapping_show("web").last_error().empty(); }));
    EXPECT_THAT(mapping_show("web").last_error(), HasSubstr("unix:" + path + " does not answer"));
}

TEST_P(BothModes, APublicUnixSocketServesVisitorsAndGoesWithItsMapping) {
    const Service service(echo);
    const auto path = (folder / "web.sock").string();
    start_server("allow_unix = [\"" + folder.string() + "/*\"]\n");
    auto& client = start_client(mapping_of("web", quoted("unix", path) + quoted("to", service.address()) +
                                                      "encrypt = " + (encrypted() ? "true" : "false")));
    ASSERT_TRUE(eventually([&] { return client.state("web").state == "listening"; }));
    EXPECT_EQ(client.state("web").public_address, path);
    EXPECT_EQ(client.state("web").protocol, "unix");
    struct stat info {};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0660u);
    auto visitor = Peer::connect_to_path(path);
    const auto bytes = pattern(3'000'000);
    const auto received = send_and_receive(visitor, bytes);
    EXPECT_EQ(received.bytes, bytes);
    EXPECT_EQ(received.end, End::orderly);
    EXPECT_TRUE(eventually([&] { return logs.has({"server", "visitor closed", "visitor=\"unix:pid="}); }));

    mapping_pause("web");
    EXPECT_FALSE(std::filesystem::exists(path));
    mapping_resume("web");
    EXPECT_TRUE(std::filesystem::exists(path));
    client.write_config("");
    client.request_reload();
    EXPECT_TRUE(eventually([&] { return !std::filesystem::exists(path); }));
}

TEST_F(TunnelTest, AClientMakesUnixSocketsOnlyWhereTheServerLetsIt) {
    const auto allowed = folder / "allowed";
    std::filesystem::create_directory(allowed);
    start_server("allow_unix = [\"" + allowed.string() + "/*\"]\n");
    const auto precious = allowed / "precious";
    std::filesystem::copy(folder / "server.toml", precious);
    auto& client = start_client(
        mapping_of("outside", quoted("unix", (folder / "x.sock").string()) + quoted("to", "22")) +
        mapping_of("over", quoted("unix", precious.string()) + quoted("to", "22")) +
        mapping_of("admin", quoted("unix", (folder / "admin.sock").string()) + quoted("to", "22")));
    ASSERT_TRUE(eventually([&] { return client.state("over").state == "refused"; }));
    EXPECT_EQ(client.state("outside").error_code, "not_allowed");
    EXPECT_THAT(client.state("outside").error, HasSubstr("allow_unix"));
    EXPECT_EQ(client.state("admin").error_code, "not_allowed");
    EXPECT_THAT(client.state("over").error, HasSubstr("is no socket"));
    EXPECT_EQ(std::filesystem::file_size(precious), std::filesystem::file_size(folder / "server.toml"));
    // The admin chooses freely, and overwrites nothing either.
    EXPECT_EQ(mapping_refused("m", {{"unix", precious.string()}, {"to", "22"}}).code(), "conflict");
    EXPECT_EQ(mapping_refused("m", {{"unix", (folder / "admin.sock").string()}, {"to", "22"}}).code(),
              "conflict");
    const auto free = (folder / "free.sock").string();
    mapping_add_with("m", {{"unix", free}, {"to", "22"}});
    EXPECT_TRUE(eventually([&] { return std::filesystem::exists(free); }));
    EXPECT_EQ(mapping_refused("n", {{"unix", free}, {"to", "22"}}).code(), "conflict");

    // What clients may no longer have is closed.
    server->write_config("");
    server->request_reload();
    EXPECT_TRUE(std::filesystem::exists(free));
}

TEST_F(TunnelTest, ASocketLeftByAKilledServerIsTakenOver) {
    const auto path = (folder / "web.sock").string();
    listen_on_path(path).fd.reset();
    ASSERT_TRUE(std::filesystem::exists(path));
    const Service service(echo);
    start_server();
    auto& client = start_client("");
    mapping_add_with("web", {{"unix", path}, {"to", service.address()}});
    ASSERT_TRUE(eventually([&] { return client.state("web").state == "listening"; }));
    auto visitor = Peer::connect_to_path(path);
    EXPECT_TRUE(echoes(visitor));
}

}  // namespace
}  // namespace tunnel::test
