#pragma once
// The columns of each message that the server answers with.

#include "proto/admin.pb.h"
#include "tunnel-server/tunnelctl/columns.hpp"

namespace tunnel::ctl {

Columns<proto::ClientInfo> client_columns();
Columns<proto::MappingInfo> mapping_columns();
// For a list: how many members are up only where a mapping has members.
Columns<proto::MappingInfo> mapping_columns(const proto::MappingList& list);
// For the details of one: what is about groups only as far as it says something.
Columns<proto::MappingInfo> mapping_columns(const proto::MappingInfo& mapping);
Columns<proto::MemberInfo> member_columns();
Columns<proto::SessionInfo> session_columns();
Columns<proto::ConnectionInfo> connection_columns();
Columns<proto::StatusInfo> status_columns();

// "tcp://vps.example.com:2222", empty while the server has chosen no port.
std::string public_url(const proto::MappingInfo& mapping);
// "ssh: tcp://vps.example.com:2222 -> 127.0.0.1:22 (client home: listening)"
std::string summary(const proto::MappingInfo& mapping);

}  // namespace tunnel::ctl
