#include "common/wire/mapping_spec.hpp"

#include "common/wire/limits.hpp"
#include "common/wire/protobuf.hpp"
#include "proto/mapping.pb.h"

namespace tunnel::wire {

void fill(proto::MappingSpec& out, const MappingSpec& spec) {
    out.set_name(spec.name);
    out.set_tcp(spec.tcp);
    out.set_service(spec.service);
    out.set_encrypt(spec.encrypt);
    out.set_preferred_port(spec.preferred_port);
    for (const auto& option : spec.options) {
        auto& added = *out.add_options();
        added.set_name(option.name);
        added.set_value(option.value);
    }
}

Result<MappingSpec> read(const proto::MappingSpec& in) {
    if (auto ok =
            all(check("mapping name", in.name().size(), max_text), check("port", in.tcp(), 65535),
                check("service", in.service().size(), max_service), check("port", in.preferred_port(), 65535),
                check("number of options", static_cast<std::size_t>(in.options_size()), max_options));
        !ok)
        return pass(std::move(ok.error()));
    MappingSpec out{in.name(), static_cast<Port>(in.tcp()), in.service(), in.encrypt(),
                    static_cast<Port>(in.preferred_port())};
    out.options.reserve(static_cast<std::size_t>(in.options_size()));
    for (const auto& option : in.options()) {
        if (auto ok = all(check("option's name", option.name().size(), max_text),
                          check("option's value", option.value().size(), max_option_value));
            !ok)
            return pass(std::move(ok.error()));
        out.options.push_back({option.name(), option.value()});
    }
    return out;
}

Bytes encode(const MappingSpec& spec) {
    proto::MappingSpec out;
    fill(out, spec);
    return serialize_message(out);
}

Result<MappingSpec> decode_mapping_spec(BytesView bytes) {
    proto::MappingSpec in;
    if (!parse_message(in, bytes)) return fail(Errc::protocol, "these bytes are no mapping");
    return read(in);
}

}  // namespace tunnel::wire
