// The visitor's real address: told to the service, and taken from proxies in front.

#include "common/wire/proxy_protocol.hpp"
#include "tests/integration/support/tunnel_test.hpp"

namespace tunnel::test {
namespace {

// A service that begins by reading a PROXY header, and tells it.
class HeaderService {
  public:
    HeaderService()
        : service_([this](Peer& peer) {
              Bytes have;
              for (;;) {
                  const auto more = peer.receive(1);
                  if (more.empty()) return;
                  append(have, more);
                  const auto parsed = wire::parse_proxy_header(have);
                  if (!parsed) return;
                  if (*parsed) {
                      const std::lock_guard lock(mutex_);
                      headers_.push_back((*parsed)->header);
                      break;
                  }
              }
              echo(peer);
          }) {}
    std::string address() const { return service_.address(); }
    std::optional<wire::ProxyHeader> last() {
        const std::lock_guard lock(mutex_);
        return headers_.empty() ? std::nullopt : std::optional(headers_.back());
    }

  private:
    std::mutex mutex_;
    std::vector<wire::ProxyHeader> headers_;
    Service service_;
};

wire::ProxyHeader header_from(std::string_view address, Port port) {
    wire::ProxyHeader header;
    header.family = wire::ProxyFamily::ip;
    header.source = {*parse_ip(address), port};
    header.destination = {*parse_ip("192.0.2.1"), 443};
    return header;
}

class ProxyProtocolTest : public TunnelTest {
  protected:
    Port expose(const std::string& address, const std::string& lines, bool encrypt = true) {
        start_server();
        return start_client(mapping_toml("service", address, encrypt) + lines).listening("service");
    }
    std::uint64_t refusals(const std::string& reason) { return refusals_of("service", reason); }
    HeaderService service_;
};

TEST_F(ProxyProtocolTest, TheServiceIsToldTheVisitorsAddressInBothVersions) {
    start_server();
    std::string config;
    for (const std::string version : {"v1", "v2"}) {
        for (const bool encrypt : {true, false})
            config +=
                mapping_toml(version + (encrypt ? "-encrypted" : "-plain"), service_.address(), encrypt) +
                "proxy_protocol = \"" + version + "\"\n";
    }
    auto& client = start_client(config);
    for (const std::string name : {"v1-encrypted", "v1-plain", "v2-encrypted", "v2-plain"}) {
        const auto port = client.listening(name);
        ASSERT_NE(port, 0);
        auto visitor = Peer::connect(port);
        visitor.send("hello");
        ASSERT_EQ(visitor.receive_text(5), "hello") << name;
        const auto header = service_.last();
        ASSERT_TRUE(header);
        EXPECT_EQ(header->version, name.starts_with("v1") ? wire::ProxyVersion::v1 : wire::ProxyVersion::v2);
        EXPECT_EQ(header->source.address, *parse_ip("127.0.0.1"));
        EXPECT_NE(header->source.port, 0);
        EXPECT_EQ(header->destination, (wire::ProxyEnd{*parse_ip("127.0.0.1"), port}));
    }
}

TEST_F(ProxyProtocolTest, AProxysHeaderIsTakenAndHandedOnWithItsEntries) {
    const auto port =
        expose(service_.address(), "proxy_protocol = \"v2\"\naccept_proxy_from = [\"127.0.0.0/8\"]\n");
    ASSERT_NE(port, 0);
    auto header = header_from("2001:db8::7", 50312);
    header.tlvs = {0x02, 0, 3, 'a', '.', 'b', 0xe0, 0, 0};
    header.checksum = true;
    auto bytes = wire::encode(header);
    append(bytes, view_of("hello"));
    auto visitor = Peer::connect(port);
    // In two pieces, the first of which ends within the header.
    visitor.send(BytesView(bytes).first(20));
    EXPECT_TRUE(eventually([&] { return session_list().sessions_size() == 1; }));
    visitor.send(BytesView(bytes).subspan(20));
    ASSERT_EQ(visitor.receive_text(5), "hello");
    const auto told = service_.last();
    ASSERT_TRUE(told);
    EXPECT_EQ(told->source, header.source);
    EXPECT_EQ(told->destination, header.destination);
    EXPECT_EQ(told->tlvs, header.tlvs);
    EXPECT_EQ(connection_list().connections(0).visitor(), "[2001:db8::7]:50312");
}

TEST_F(ProxyProtocolTest, ListsAndLimitsAreThoseOfTheRealVisitor) {
    const Service plain(echo);
    const auto port =
        expose(plain.address(), "accept_proxy_from = [\"127.0.0.1\"]\ndeny = [\"203.0.113.0/24\"]\n");
    ASSERT_NE(port, 0);
    auto denied = Peer::connect(port);
    denied.send(wire::encode(header_from("203.0.113.7", 1)));
    EXPECT_EQ(denied.receive_all().end, End::reset);
    EXPECT_TRUE(eventually([&] { return refusals("denied") == 1; }));
    auto admitted = Peer::connect(port);
    auto header = header_from("198.51.100.7", 1);
    header.version = wire::ProxyVersion::v1;
    admitted.send(wire::encode(header));
    admitted.send("hello");
    EXPECT_EQ(admitted.receive_text(5), "hello");
    // Its own health check.
    auto local = Peer::connect(port);
    wire::ProxyHeader check;
    check.local = true;
    local.send(wire::encode(check));
    local.send("hello");
    EXPECT_EQ(local.receive_text(5), "hello");
}

TEST_F(ProxyProtocolTest, ABadOrMissingHeaderClosesWithACountedReason) {
    const Service plain(echo);
    const auto port = expose(plain.address(), "accept_proxy_from = [\"127.0.0.1\"]\n");
    ASSERT_NE(port, 0);
    auto bad = Peer::connect(port);
    bad.send("GET / HTTP/1.1\r\n\r\n");
    EXPECT_EQ(bad.receive_all().end, End::reset);
    EXPECT_TRUE(eventually([&] { return refusals("proxy_header") == 1; }));
    // Others go on meanwhile: this one says nothing until its time is over.
    auto silent = Peer::connect(port);
    auto good = Peer::connect(port);
    good.send(wire::encode(header_from("198.51.100.7", 1)));
    good.send("hello");
    EXPECT_EQ(good.receive_text(5), "hello");
    EXPECT_EQ(silent.receive_all(Seconds(20)).end, End::reset);
    EXPECT_EQ(refusals("proxy_timeout"), 1u);
    EXPECT_EQ(plain.accepted(), 1u);
}

TEST_F(ProxyProtocolTest, WhoIsNoProxyIsAVisitorItself) {
    const auto port =
        expose(service_.address(), "proxy_protocol = \"v1\"\naccept_proxy_from = [\"192.0.2.0/24\"]\n");
    ASSERT_NE(port, 0);
    auto visitor = Peer::connect(port);
    visitor.send("PROXY TCP4 198.51.100.7 192.0.2.1 1 2\r\n");
    EXPECT_EQ(visitor.receive_text(8), "PROXY TC") << "what it claims is data like any other";
    EXPECT_EQ(service_.last()->source.address, *parse_ip("127.0.0.1"));
}

}  // namespace
}  // namespace tunnel::test
