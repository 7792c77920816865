#include "common/wire/stream_head.hpp"

#include "common/wire/control_messages.hpp"
#include "common/wire/protobuf.hpp"
#include "common/wire/text.hpp"
#include "proto/control.pb.h"

namespace tunnel::wire {

namespace {

template <class Message>
bool parse(Message& message, BytesView bytes) {
    return bytes.size() <= max_stream_head && parse_message(message, bytes);
}

}  // namespace

Bytes encode(const StreamOpen& open) {
    proto::StreamOpen out;
    out.set_connection(open.connection.value);
    out.set_mapping(open.mapping);
    out.set_service(open.service);
    out.set_encrypt(open.encrypt);
    out.set_visitor(open.visitor);
    out.set_local(open.local);
    out.set_port_offset(open.port_offset);
    out.set_keepalive(static_cast<std::uint32_t>(open.keepalive.count()));
    if (open.datagrams) {
        auto& datagrams = *out.mutable_datagrams();
        datagrams.set_group(open.datagrams->group);
        datagrams.set_flow_timeout(static_cast<std::uint32_t>(open.datagrams->flow_timeout.count()));
        datagrams.set_path(open.datagrams->path);
    }
    if (open.proxy_protocol) out.set_proxy_protocol(static_cast<std::uint32_t>(*open.proxy_protocol));
    out.set_proxy_tlvs(open.proxy_tlvs.data(), open.proxy_tlvs.size());
    out.set_reuse(open.reuse);
    return serialize_message(out);
}

Bytes encode(const StreamAnswer& answer) {
    proto::StreamAnswer out;
    out.set_code(static_cast<proto::StreamAnswer::Code>(answer.code));
    out.set_reason(std::string(cut_text(answer.reason, 2 * max_text)));
    return serialize_message(out);
}

Result<StreamOpen> decode_stream_open(BytesView bytes) {
    proto::StreamOpen in;
    if (!parse(in, bytes) || in.mapping().size() > max_text || in.service().size() > max_service ||
        in.visitor().size() > max_text || in.local().size() > max_text || in.port_offset() > 65535 ||
        in.proxy_protocol() > 2 || in.proxy_tlvs().size() > max_proxy_tlvs ||
        !well_formed_tlvs(view_of(in.proxy_tlvs())))
        return fail(Errc::protocol, "the server sent a stream head that is none");
    StreamOpen open{ConnectionId{in.connection()},
                    in.mapping(),
                    in.service(),
                    in.encrypt(),
                    in.visitor(),
                    in.local(),
                    in.port_offset(),
                    Seconds(in.keepalive())};
    if (in.has_datagrams())
        open.datagrams = DatagramOpen{in.datagrams().group(), Millis(in.datagrams().flow_timeout()),
                                      in.datagrams().path()};
    if (in.proxy_protocol() != 0) open.proxy_protocol = static_cast<ProxyVersion>(in.proxy_protocol());
    open.proxy_tlvs.assign(in.proxy_tlvs().begin(), in.proxy_tlvs().end());
    open.reuse = in.reuse();
    return open;
}

Bytes proxy_header_of(const StreamOpen& open) {
    if (!open.proxy_protocol) return {};
    ProxyHeader header;
    header.version = *open.proxy_protocol;
    header.tlvs = open.proxy_tlvs;
    const auto visitor = parse_host_port(open.visitor, PortZero::allowed);
    const auto local = parse_host_port(open.local, PortZero::allowed);
    const auto source = visitor ? parse_ip(visitor->host) : std::nullopt;
    const auto destination = local ? parse_ip(local->host) : std::nullopt;
    if (source && destination) {
        header.family = ProxyFamily::ip;
        header.source = {*source, visitor->port};
        header.destination = {*destination, local->port};
    }
    return encode(header);
}

Result<StreamAnswer> decode_stream_answer(BytesView bytes) {
    proto::StreamAnswer in;
    if (!parse(in, bytes) || in.code() < 0 || in.code() > static_cast<int>(StreamAnswer::Code::draining) ||
        in.reason().size() > 2 * max_text)
        return fail(Errc::protocol, "the client sent a stream answer that is none");
    return StreamAnswer{static_cast<StreamAnswer::Code>(in.code()), in.reason()};
}

}  // namespace tunnel::wire
