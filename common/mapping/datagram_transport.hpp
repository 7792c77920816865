#pragma once
// How a UDP mapping's datagrams travel between the ends.

#include <string_view>

#include "common/core/result.hpp"

namespace tunnel {

enum class DatagramTransport {
    automatic,  // as datagrams where UDP passes between the ends, otherwise by stream
    stream,     // in data connections, one after the other
    datagram,   // as datagrams only: dropped where UDP does not pass
};
constexpr std::string_view to_string(DatagramTransport transport) {
    switch (transport) {
        case DatagramTransport::automatic:
            return "auto";
        case DatagramTransport::stream:
            return "stream";
        case DatagramTransport::datagram:
            return "datagram";
    }
    return "auto";
}
inline Result<DatagramTransport> parse_datagram_transport(std::string_view text) {
    for (const auto transport :
         {DatagramTransport::automatic, DatagramTransport::stream, DatagramTransport::datagram}) {
        if (to_string(transport) == text) return transport;
    }
    return fail(Errc::invalid, "\"{}\" is no transport: write auto, stream or datagram", text);
}

}  // namespace tunnel
