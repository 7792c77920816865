#include "tests/integration/support/tunnel_test.hpp"

#include <signal.h>
#include <stdlib.h>

#include "common/config/join_link.hpp"

namespace tunnel::test {

namespace {

proto::MappingQuery query(const std::string& name) {
    proto::MappingQuery out;
    out.set_name(name);
    return out;
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(Mode, BothModes, testing::Bool(), mode_name);

void BothModes::expect_slow_reader_holds_back(std::size_t much, const std::string& config) {
    std::atomic<std::size_t> sent{0};
    const Bytes block = pattern(64 * 1024, 4);
    const Service service([&](Peer& peer) {
        for (std::size_t at = 0; at < much; at += block.size()) {
            if (!peer.send(block)) return;
            sent += block.size();
        }
        peer.finish();
    });
    auto visitor = Peer::connect(expose(service, config));
    // Reads nothing: the sender comes to a halt, so nothing in between takes without limit.
    std::size_t before = 0;
    EXPECT_TRUE(eventually([&] {
        const auto now = sent.load();
        const bool halted = now > 0 && now == before;
        before = now;
        std::this_thread::sleep_for(Millis(100));
        return halted;
    }));
    EXPECT_LT(sent.load(), much);
    std::size_t got = 0;
    bool same = true;
    while (got < much) {
        const auto bytes = visitor.receive(block.size());
        if (bytes.empty()) break;
        same = same && bytes == block;
        got += bytes.size();
    }
    EXPECT_EQ(got, much);
    EXPECT_TRUE(same);
    EXPECT_EQ(visitor.receive_all().end, End::orderly);
}

TunnelTest::TunnelTest() {
    // As both programs do: splice(2) has no flag against it.
    (void)::signal(SIGPIPE, SIG_IGN);
    // No proxy of the developer's own stands between the two ends.
    for (const auto* variable : {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"})
        (void)::unsetenv(variable);
    std::string name = (std::filesystem::temp_directory_path() / "tunnel-it-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a folder");
    folder = name;
}

TunnelTest::~TunnelTest() {
    clients_.clear();
    proxy.reset();
    server.reset();
    std::filesystem::remove_all(folder);
    if (!HasFailure()) return;
    for (const auto& line : logs.lines()) printf("%s\n", line.c_str());
}

void TunnelTest::start_server(const std::string& options) {
    server.reset();
    server = std::make_unique<RunningServer>(folder, options, logs);
}

void TunnelTest::start_proxy() {
    proxy = std::make_unique<Proxy>(server->port());
}

std::string TunnelTest::through_proxy(const std::string& link) const {
    if (!proxy) return link;
    auto parsed = config::parse_join_link(link);
    if (!parsed) throw std::runtime_error(parsed.error().message);
    parsed->server.port = proxy->port();
    return std::string(text_of(config::to_text(*parsed).reveal()));
}

std::string TunnelTest::link_of(const std::string& name) {
    auto& link = links_[name];
    if (link.empty()) link = through_proxy(client_link("add", name));
    return link;
}

RunningClient& TunnelTest::start_client(const std::string& config, const std::string& slot,
                                        const std::string& name) {
    const auto file = folder / ("client" + std::to_string(++clients_made_) + ".toml");
    return *clients_.emplace_back(std::make_unique<RunningClient>(file, link_of(name), config, logs, slot));
}

void TunnelTest::end_client(RunningClient& client) {
    clients_.remove_if([&](const auto& one) { return one.get() == &client; });
}

proto::AdminResponse TunnelTest::ask(const proto::AdminRequest& request) {
    auto response = server->ask(request);
    EXPECT_FALSE(response.has_error()) << response.error().message();
    return response;
}

proto::AdminError TunnelTest::refused(const proto::AdminRequest& request) {
    return server->ask(request).error();
}

std::string TunnelTest::client_link(const std::string& verb, const std::string& name) {
    proto::AdminRequest request;
    if (verb == "add")
        request.mutable_client_add()->set_name(name);
    else
        request.mutable_client_rotate()->set_name(name);
    return ask(request).client_link().link();
}

void TunnelTest::client_remove(const std::string& name) {
    proto::AdminRequest request;
    request.mutable_client_remove()->set_name(name);
    (void)ask(request);
}

proto::MappingInfo TunnelTest::mapping_add(const std::string& name, const std::string& service, bool encrypt,
                                           Port port, const std::string& client) {
    proto::AdminRequest request;
    auto& add = *request.mutable_mapping_add();
    add.set_client(client);
    auto& spec = *add.mutable_spec();
    spec.set_name(name);
    spec.set_service(service);
    spec.set_encrypt(encrypt);
    spec.set_tcp(port);
    return ask(request).mapping();
}

namespace {

proto::AdminRequest addition(const std::string& name,
                             const std::vector<std::pair<std::string, std::string>>& words,
                             const std::string& client = "home") {
    proto::AdminRequest request;
    auto& add = *request.mutable_mapping_add();
    add.set_client(client);
    auto& spec = *add.mutable_spec();
    spec.set_name(name);
    spec.set_encrypt(true);
    for (const auto& [word, value] : words) {
        if (word == "to") {
            spec.set_service(value);
            continue;
        }
        auto& option = *spec.add_options();
        option.set_name(word);
        option.set_value(value);
    }
    return request;
}

}  // namespace

proto::MappingInfo TunnelTest::mapping_add_with(const std::string& name, const Words& words,
                                                const std::string& client) {
    return ask(addition(name, words, client)).mapping();
}

proto::AdminError TunnelTest::mapping_refused(const std::string& name, const Words& words) {
    return refused(addition(name, words));
}

void TunnelTest::mapping_pause(const std::string& name) {
    proto::AdminRequest request;
    *request.mutable_mapping_pause() = query(name);
    (void)ask(request);
}

void TunnelTest::mapping_resume(const std::string& name) {
    proto::AdminRequest request;
    *request.mutable_mapping_resume() = query(name);
    (void)ask(request);
}

void TunnelTest::mapping_remove(const std::string& name) {
    proto::AdminRequest request;
    *request.mutable_mapping_remove() = query(name);
    (void)ask(request);
}

proto::MappingInfo TunnelTest::mapping_show(const std::string& name) {
    proto::AdminRequest request;
    *request.mutable_mapping_show() = query(name);
    return ask(request).mapping();
}

std::uint64_t TunnelTest::refusals_of(const std::string& mapping, const std::string& reason) {
    const auto shown = mapping_show(mapping);
    std::uint64_t count = 0;
    for (const auto& refusal : shown.refusals()) count += refusal.reason() == reason ? refusal.count() : 0;
    return count;
}

proto::MappingList TunnelTest::mapping_list() {
    proto::AdminRequest request;
    request.mutable_mapping_list();
    return ask(request).mappings();
}

proto::SessionList TunnelTest::session_list() {
    proto::AdminRequest request;
    request.mutable_session_list();
    return ask(request).sessions();
}

proto::ConnectionList TunnelTest::connection_list() {
    proto::AdminRequest request;
    request.mutable_connection_list();
    return ask(request).connections();
}

proto::StatusInfo TunnelTest::status() {
    proto::AdminRequest request;
    request.mutable_status();
    return ask(request).status();
}

bool TunnelTest::idle() {
    return eventually([this] { return status().visitors() == 0; });
}

}  // namespace tunnel::test
