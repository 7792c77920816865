#pragma once
// How the store's file is laid out, and how an older file becomes a current one.

#include <span>
#include <string_view>

#include "common/core/result.hpp"
#include "tunnel-server/store/sqlite.hpp"

namespace tunnel::server {

// The steps from an empty file to the current layout, in order. PRAGMA user_version counts the steps a file
// has seen. A step that was released is never edited: a change is a new step.
std::span<const std::string_view> store_migrations();

// Refuses a file that is not ours (invalid) or that has seen more steps than `migrations` holds (version).
// Reads only.
Status check_schema(sqlite::Database& database, std::span<const std::string_view> migrations);

// Runs the steps that the file has not seen, each in a transaction with its user_version: a step that fails
// leaves the file at the step before.
Status migrate(sqlite::Database& database, std::span<const std::string_view> migrations);

}  // namespace tunnel::server
