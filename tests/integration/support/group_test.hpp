#pragma once
// The fixture of groups: what the admin sees of their members and does with them.

#include "tests/integration/support/tunnel_test.hpp"

namespace tunnel::test {

class GroupTest : public TunnelTest {
  protected:
    // Of the group of `client`'s mapping; one without a service when there is none.
    proto::MemberInfo member(const std::string& mapping, const std::string& service,
                             const std::string& client = "") {
        proto::AdminRequest request;
        request.mutable_mapping_show()->set_name(mapping);
        request.mutable_mapping_show()->set_client(client);
        const auto answer = server->ask(request);
        for (const auto& one : answer.mapping().members()) {
            if (one.service() == service) return one;
        }
        return {};
    }
    void drain(const std::string& mapping, const std::string& service, bool drained) {
        proto::AdminRequest request;
        auto& query = drained ? *request.mutable_mapping_drain() : *request.mutable_mapping_undrain();
        query.mutable_mapping()->set_name(mapping);
        query.set_member(service);
        EXPECT_FALSE(server->ask(request).has_error());
    }
};

}  // namespace tunnel::test
