#include "tunnel-client/join.hpp"

#include "common/config/files.hpp"
#include "tunnel-client/config/client_config.hpp"
#include "tunnel-client/try_login.hpp"

namespace tunnel::client {

namespace {

Result<Secret> new_contents(const std::string& file, const config::JoinLink& link) {
    auto existing = config::read_file(file);
    if (!existing && existing.error().code == Errc::not_found) return client_config_template(link);
    if (!existing) return pass(std::move(existing.error()));
    auto replaced = replace_link(*existing, link, file);
    wipe(*existing);
    return replaced;
}

}  // namespace

Result<std::string> join(const config::ClientPaths& paths, const config::JoinLink& link) {
    // An existing config decides by which CA the server is known; a broken one is told before anything is
    // tried.
    auto current = load_client_config(paths, Link::optional);
    if (!current) return pass(config::to_error(current.error()));
    auto access = make_access(*current, link);
    if (!access) return pass(std::move(access.error()));
    const auto way = try_login(std::move(*access), current->cipher);
    if (!way) return pass(way.error());
    auto contents = new_contents(paths.config, link);
    if (!contents) return pass(std::move(contents.error()));
    if (auto ok = config::make_private_folder(config::folder_of(paths.config)); !ok)
        return pass(std::move(ok.error()));
    if (auto ok =
            config::write_private_file(paths.config, text_of(contents->reveal()), config::Overwrite::yes);
        !ok)
        return pass(std::move(ok.error()));
    return fmt::format("joined {} as \"{}\"{}; saved {}", to_string(link.server), link.client,
                       *way == "direct" ? std::string() : fmt::format(" (way: {})", *way), paths.config);
}

}  // namespace tunnel::client
