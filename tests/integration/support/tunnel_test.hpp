#pragma once
// The fixture: a folder that goes away, a server, clients by name, and the admin's words.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/support/proxy.hpp"
#include "tests/integration/support/running_client.hpp"
#include "tests/integration/support/running_server.hpp"
#include "tests/integration/support/service.hpp"

namespace tunnel::test {

class TunnelTest : public testing::Test {
  protected:
    using Words = std::vector<std::pair<std::string, std::string>>;
    TunnelTest();
    // Clients first, then the server; prints what both logged when the test failed.
    ~TunnelTest() override;

    // `options` as RunningServer has them.
    void start_server(const std::string& options = "");
    // A proxy that links lead through from now on.
    void start_proxy();
    // `config` as RunningClient has it. The client "home" is added to the server with the first call.
    RunningClient& start_client(const std::string& config, const std::string& slot = "",
                                const std::string& name = "home");
    // Ends the client without draining.
    void end_client(RunningClient& client);
    // A join link of a client, added to the server when it is new.
    std::string link_of(const std::string& name);
    void use_link(const std::string& name, const std::string& link) { links_[name] = through_proxy(link); }

    // The admin's requests. Each expects success.
    std::string client_link(const std::string& verb, const std::string& name);
    void client_remove(const std::string& name);
    proto::MappingInfo mapping_add(const std::string& name, const std::string& service, bool encrypt = true,
                                   Port port = 0, const std::string& client = "home");
    // The same with options by their names in client.toml; `to` among them.
    proto::MappingInfo mapping_add_with(const std::string& name, const Words& words,
                                        const std::string& client = "home");
    // The error of such an addition that is refused.
    proto::AdminError mapping_refused(const std::string& name, const Words& words);
    void mapping_pause(const std::string& name);
    void mapping_resume(const std::string& name);
    void mapping_remove(const std::string& name);
    proto::MappingInfo mapping_show(const std::string& name);
    proto::MappingList mapping_list();
    // How many visitors of the mapping were refused for that reason.
    std::uint64_t refusals_of(const std::string& mapping, const std::string& reason);
    proto::SessionList session_list();
    proto::ConnectionList connection_list();
    proto::StatusInfo status();
    proto::AdminError refused(const proto::AdminRequest& request);
    // Waits until no visitor is relayed any more.
    bool idle();

    std::filesystem::path folder;
    LogBook logs;
    std::unique_ptr<RunningServer> server;
    std::unique_ptr<Proxy> proxy;

  private:
    std::string through_proxy(const std::string& link) const;
    proto::AdminResponse ask(const proto::AdminRequest& request);

    std::list<std::unique_ptr<RunningClient>> clients_;
    std::map<std::string, std::string> links_;
    int clients_made_ = 0;
};

// The same cases for both kinds of mapping.
class BothModes : public TunnelTest, public testing::WithParamInterface<bool> {
  protected:
    static bool encrypted() { return GetParam(); }
    // A client that maps this one service; returns the public port.
    Port expose(const Service& service, const std::string& more = "") {
        return start_client(more + mapping_toml("service", service.address(), encrypted()))
            .listening("service");
    }
    // A service sends `much` to a visitor who reads nothing of it at first, through a client with this
    // config: more than all that stands between them may take.
    void expect_slow_reader_holds_back(std::size_t much, const std::string& config = "");
};
inline std::string mode_name(const testing::TestParamInfo<bool>& info) {
    return info.param ? "encrypted" : "plain";
}

}  // namespace tunnel::test
