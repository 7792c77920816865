#pragma once
// Small files read and written whole: config, keys, certificates. Blocking; for start-up, reload and verbs,
// never for a worker thread.

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "common/core/result.hpp"

namespace tunnel::config {

inline constexpr std::size_t max_config_bytes = 1 << 20;

// The whole file. Errc::not_found when it does not exist, Errc::limit beyond `limit` bytes, Errc::io
// otherwise. Callers that read a secret wipe() the string.
Result<std::string> read_file(const std::string& path, std::size_t limit = max_config_bytes);

// Creates the folder and the ones above it that are missing, each with mode 0700. A folder that is there
// already keeps its mode.
Status make_private_folder(const std::string& path);

enum class Overwrite { no, yes };
inline constexpr mode_t private_mode = 0600;

// Atomic: whoever reads `path` sees the old contents or the new, never a part, also after a power cut
// (temporary file in the same folder, fsync(2), rename(2) or link(2), fsync of the folder). `mode` is exact,
// whatever the umask. With Overwrite::no an existing file stays as it is and the result is Errc::exists. A
// symbolic link at `path` is replaced, not followed.
Status write_private_file(const std::string& path, std::string_view contents, Overwrite overwrite,
                          mode_t mode = private_mode);

// True when the file's mode lets the group or others read it; false also when it cannot be looked at.
bool readable_by_others(const std::string& path);

}  // namespace tunnel::config
