#include "tunnel-server/init.hpp"

#include <unistd.h>

#include <filesystem>

#include "common/config/files.hpp"
#include "common/tls/identity.hpp"
#include "tunnel-server/store/store.hpp"

namespace tunnel::server {

namespace {

constexpr mode_t public_mode = 0644;

Status refuse_existing(const config::ServerPaths& paths) {
    for (const auto* path : {&paths.config, &paths.key, &paths.certificate, &paths.store}) {
        std::error_code ignored;
        if (std::filesystem::exists(*path, ignored))
            return fail(Errc::exists,
                        "{} is there already, and init overwrites nothing: run the server with it "
                        "(tunnel-server run), or move it "
                        "away to begin anew",
                        *path);
    }
    return {};
}

Status write_all_files(const config::ServerPaths& paths, const ServerTemplate& values) {
    for (const auto* path : {&paths.config, &paths.key, &paths.certificate, &paths.store}) {
        if (auto ok = config::make_private_folder(config::folder_of(*path)); !ok) return ok;
    }
    auto identity = tls::make_identity(values.public_host.empty() ? "tunnel-server" : values.public_host);
    if (!identity) return pass(std::move(identity.error()));
    using config::Overwrite;
    if (auto ok = config::write_private_file(paths.key, text_of(identity->key_pem.reveal()), Overwrite::no);
        !ok)
        return ok;
    if (auto ok = config::write_private_file(paths.certificate, identity->certificate_pem, Overwrite::no,
                                             public_mode);
        !ok)
        return ok;
    auto store = Store::open(paths.store);
    if (!store) return pass(std::move(store.error()));
    // Last, because its presence says that the rest is there.
    return config::write_private_file(paths.config, server_config_template(values), Overwrite::no,
                                      public_mode);
}

}  // namespace

Status initialize(const config::ServerPaths& paths, const ServerTemplate& values) {
    if (auto ok = refuse_existing(paths); !ok) return ok;
    auto ok = write_all_files(paths, values);
    if (!ok && ok.error().code != Errc::exists) {
        // Half an identity would make the next init refuse.
        for (const auto* path : {&paths.key, &paths.certificate, &paths.store, &paths.config})
            ::unlink(path->c_str());
    }
    return ok;
}

}  // namespace tunnel::server
