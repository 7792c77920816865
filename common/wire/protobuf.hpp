#pragma once
// The one way between bytes and Protobuf messages. For the .cpp files that turn messages into plain structs.

#include <google/protobuf/stubs/common.h>
#if GOOGLE_PROTOBUF_VERSION < 4022000
#include <google/protobuf/stubs/logging.h>
#endif

#include "common/core/bytes.hpp"

namespace tunnel::wire {

// `bytes` is at most 2 GiB long, which every frame limit makes sure of. A refusal prints nothing: Protobuf
// writes a line to standard error about text that is not UTF-8, which would hand a peer without a login a
// pen for the log. (From 4.22 on Protobuf logs through Abseil, where the program chooses the sink.)
template <class Message>
bool parse_message(Message& out, BytesView bytes) {
#if GOOGLE_PROTOBUF_VERSION < 4022000
    const google::protobuf::LogSilencer silence;
#endif
    return out.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

template <class Message>
Bytes serialize_message(const Message& message) {
    Bytes bytes(message.ByteSizeLong());
    message.SerializeToArray(bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
}

}  // namespace tunnel::wire
