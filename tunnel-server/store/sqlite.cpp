#include "tunnel-server/store/sqlite.hpp"

#include <sqlite3.h>

#include <system_error>

namespace tunnel::server::sqlite {

namespace {

constexpr int busy_timeout_ms = 5000;

std::string_view hint(int primary_code) {
    switch (primary_code) {
        case SQLITE_FULL:
            return "free some space on its file system";
        case SQLITE_READONLY:
        case SQLITE_PERM:
        case SQLITE_CANTOPEN:
            return "the server's user must be able to write the file and its folder";
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return "another program holds it open: end that program and try again";
        case SQLITE_IOERR:
            return "check the file system's space, quota and health";
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return "restore it from a backup";
        default:
            return "nothing was changed";
    }
}

Errc kind(int extended_code) {
    switch (extended_code) {
        case SQLITE_CONSTRAINT_PRIMARYKEY:
        case SQLITE_CONSTRAINT_UNIQUE:
            return Errc::exists;
        case SQLITE_CONSTRAINT_FOREIGNKEY:
            return Errc::not_found;
        default:
            return (extended_code & 0xff) == SQLITE_NOTADB ? Errc::invalid : Errc::io;
    }
}

tl::unexpected<Error> failure(sqlite3* handle, int code, const std::string& file) {
    // The connection's words are about its last call; a code that did not come from that call has only its
    // own.
    const bool own = handle == nullptr || sqlite3_extended_errcode(handle) != code;
    std::string words = own ? sqlite3_errstr(code) : sqlite3_errmsg(handle);
    const int primary = code & 0xff;
    const bool from_system = primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN || primary == SQLITE_FULL;
    const int sys_errno = handle != nullptr && from_system ? sqlite3_system_errno(handle) : 0;
    if (sys_errno != 0) words += fmt::format(" ({})", std::generic_category().message(sys_errno));
    return tl::unexpected<Error>(
        Error{kind(code), fmt::format("store {}: {}: {}", file, words, hint(primary)), sys_errno});
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
    sqlite3_finalize(statement);
}

void Statement::note(int code) {
    if (bind_code_ == SQLITE_OK) bind_code_ = code;
}

Statement& Statement::bind(int index, std::string_view text) {
    // A null pointer would bind NULL, which an empty text is not.
    note(sqlite3_bind_text64(statement_.get(), index, text.empty() ? "" : text.data(), text.size(),
                             SQLITE_TRANSIENT, SQLITE_UTF8));
    return *this;
}

Statement& Statement::bind(int index, BytesView blob) {
    note(sqlite3_bind_blob64(statement_.get(), index, blob.data(), blob.size(), SQLITE_TRANSIENT));
    return *this;
}

Statement& Statement::bind(int index, std::int64_t value) {
    note(sqlite3_bind_int64(statement_.get(), index, value));
    return *this;
}

Statement& Statement::bind_null(int index) {
    note(sqlite3_bind_null(statement_.get(), index));
    return *this;
}

Result<bool> Statement::step() {
    sqlite3* handle = sqlite3_db_handle(statement_.get());
    if (bind_code_ != SQLITE_OK) return failure(handle, bind_code_, file_);
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return failure(handle, code, file_);
}

Status Statement::run() {
    auto more = step();
    while (more && *more) more = step();
    if (!more) return pass(std::move(more.error()));
    return {};
}

std::string Statement::text(int column) const {
    const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
    if (data == nullptr) return {};
    return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

Bytes Statement::blob(int column) const {
    const auto* data = static_cast<const Byte*>(sqlite3_column_blob(statement_.get(), column));
    if (data == nullptr) return {};
    return {data, data + sqlite3_column_bytes(statement_.get(), column)};
}

std::int64_t Statement::integer(int column) const {
    return sqlite3_column_int64(statement_.get(), column);
}

bool Statement::is_null(int column) const {
    return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

void Database::Close::operator()(sqlite3* handle) const {
    sqlite3_close_v2(handle);
}

Result<Database> Database::open(const std::filesystem::path& path) {
    // Absolute, because SQLite gives ":memory:" and the empty name meanings of their own.
    std::error_code ignored;
    const auto absolute = std::filesystem::absolute(path, ignored);
    sqlite3* handle = nullptr;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    const int code = sqlite3_open_v2(absolute.c_str(), &handle, flags, nullptr);
    Database database(handle, path.string());  // a failed open leaves a handle to close
    if (code != SQLITE_OK) return failure(handle, code, database.file_);
    sqlite3_busy_timeout(handle, busy_timeout_ms);
    return database;
}

Status Database::execute(const std::string& sql) {
    const int code = sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return failure(handle_.get(), code, file_);
    return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
    sqlite3_stmt* statement = nullptr;
    const int code =
        sqlite3_prepare_v2(handle_.get(), sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
    if (code != SQLITE_OK) return failure(handle_.get(), code, file_);
    return Statement(statement, file_);
}

Result<std::int64_t> Database::query_integer(std::string_view sql) {
    auto statement = prepare(sql);
    if (!statement) return pass(std::move(statement.error()));
    auto row = statement->step();
    if (!row) return pass(std::move(row.error()));
    return *row ? statement->integer(0) : 0;
}

Result<std::string> Database::query_text(std::string_view sql) {
    auto statement = prepare(sql);
    if (!statement) return pass(std::move(statement.error()));
    auto row = statement->step();
    if (!row) return pass(std::move(row.error()));
    return *row ? statement->text(0) : std::string();
}

int Database::changes() const {
    return sqlite3_changes(handle_.get());
}

bool Database::in_transaction() const {
    return sqlite3_get_autocommit(handle_.get()) == 0;
}

Result<Transaction> Transaction::begin(Database& database) {
    if (auto begun = database.execute("BEGIN IMMEDIATE"); !begun) return pass(std::move(begun.error()));
    return Transaction(database);
}

Status Transaction::commit() {
    auto committed = database_->execute("COMMIT");
    if (committed) database_ = nullptr;
    return committed;
}

Transaction::~Transaction() {
    // Some errors (disk full) make SQLite roll back by itself; a second ROLLBACK would be an error.
    if (database_ != nullptr && database_->in_transaction()) (void)database_->execute("ROLLBACK");
}

}  // namespace tunnel::server::sqlite
