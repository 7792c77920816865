#pragma once
// The named lists of networks that allow and deny may refer to ("list:NAME"), each a file of the server's
// host. They are read again when they change. Control thread; reading a long file is work for another one.

#include <compare>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/core/log.hpp"
#include "common/core/result.hpp"
#include "tunnel-server/access/list_file.hpp"
#include "tunnel-server/access/network_set.hpp"

namespace tunnel::server {

constexpr std::size_t max_list_bytes = 64 << 20;

// Blocking. Errors name the file, and the line where one is wrong.
Result<std::shared_ptr<const NetworkSet>> read_list(const std::string& path);

class ListBook {
  public:
    // What stat(2) says of a file; all zero when it is not there.
    struct Stamp {
        std::int64_t modified_ns = 0;
        std::int64_t size = 0;
        std::uint64_t inode = 0;
        auto operator<=>(const Stamp&) const = default;
    };
    // A list that is to be read again.
    struct Changed {
        ListFile file;
        Stamp stamp;
    };

    explicit ListBook(Log log) : log_(std::move(log)) {}

    // Start and reload: reads every file, so that a list is in force before the first visitor comes. An error
    // changes nothing. True when a list is another than before.
    Result<bool> set_files(const std::vector<ListFile>& files);

    // Null when there is none of that name.
    std::shared_ptr<const NetworkSet> find(const std::string& name) const;
    // For sentences: "office, blocked".
    std::string names() const;

    // Looks at every file; to be called now and then. A file counts as changed once it has stayed the same
    // between two looks, so that one which is being written is not read in the middle.
    std::vector<Changed> look();
    // What read_list() said of a changed one. A bad file is told and the list stays as it was. True when the
    // list is a new one.
    bool take(const Changed& changed, Result<std::shared_ptr<const NetworkSet>> read);

  private:
    struct List {
        std::string path;
        std::shared_ptr<const NetworkSet> networks;
        Stamp read;  // the file that was read last, well or not
        Stamp seen;  // at the last look
        bool being_read = false;
    };
    Log log_;
    std::map<std::string, List> lists_;
};

}  // namespace tunnel::server
