#include "tunnel-server/access/list_book.hpp"

#include <sys/stat.h>

#include <fmt/ranges.h>

#include "common/config/files.hpp"
#include "tunnel-server/access/network_list.hpp"

namespace tunnel::server {

namespace {

ListBook::Stamp stamp_of(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return {};
    const std::int64_t seconds = status.st_mtim.tv_sec;
    return {seconds * 1'000'000'000 + status.st_mtim.tv_nsec, status.st_size, status.st_ino};
}

}  // namespace

Result<std::shared_ptr<const NetworkSet>> read_list(const std::string& path) {
    const auto text = config::read_file(path, max_list_bytes);
    if (!text) return pass(text.error());
    const auto networks = parse_network_list(*text, path);
    if (!networks) return pass(networks.error());
    return std::make_shared<const NetworkSet>(*networks);
}

Result<bool> ListBook::set_files(const std::vector<ListFile>& files) {
    std::map<std::string, List> next;
    for (const auto& [name, path] : files) {
        // Before it is read: what changes meanwhile is read once more.
        const auto stamp = stamp_of(path);
        const auto before = lists_.find(name);
        if (before != lists_.end() && before->second.path == path && before->second.read == stamp) {
            next[name] = before->second;
            continue;
        }
        auto networks = read_list(path);
        if (!networks)
            return fail(networks.error().code, "the list \"{}\" cannot be read: {}", name,
                        networks.error().message);
        next[name] = {path, std::move(*networks), stamp, stamp};
    }
    bool changed = next.size() != lists_.size();
    for (const auto& [name, list] : next) changed = changed || find(name) != list.networks;
    lists_ = std::move(next);
    return changed;
}

std::shared_ptr<const NetworkSet> ListBook::find(const std::string& name) const {
    const auto found = lists_.find(name);
    return found == lists_.end() ? nullptr : found->second.networks;
}

std::string ListBook::names() const {
    std::vector<std::string> names;
    for (const auto& [name, list] : lists_) names.push_back(name);
    return fmt::format("{}", fmt::join(names, ", "));
}

std::vector<ListBook::Changed> ListBook::look() {
    std::vector<Changed> changed;
    for (auto& [name, list] : lists_) {
        const auto stamp = stamp_of(list.path);
        const bool settled = stamp == list.seen;
        list.seen = stamp;
        if (list.being_read || !settled || stamp == list.read) continue;
        list.being_read = true;
        changed.push_back({{name, list.path}, stamp});
    }
    return changed;
}

bool ListBook::take(const Changed& changed, Result<std::shared_ptr<const NetworkSet>> read) {
    const auto found = lists_.find(changed.file.name);
    if (found == lists_.end() || found->second.path != changed.file.path) return false;
    auto& list = found->second;
    list.being_read = false;
    list.read = changed.stamp;
    if (!read) {
        log_.error(
            "list not taken",
            {{"list", changed.file.name}, {"reason", read.error().message}, {"kept", list.networks->size()}});
        return false;
    }
    list.networks = std::move(*read);
    log_.info("list read", {{"list", changed.file.name}, {"entries", list.networks->size()}});
    return true;
}

}  // namespace tunnel::server
