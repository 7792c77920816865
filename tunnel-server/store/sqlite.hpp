#pragma once
// SQLite behind three owners: a connection, a statement, a transaction. Only tunnel-server/store includes
// this. Same thread rule as Store. Errors are io with SQLite's words and a hint, except a violated primary
// key (exists) and a violated foreign key (not_found), which the caller words anew.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "common/core/bytes.hpp"
#include "common/core/result.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace tunnel::server::sqlite {

// A prepared statement. Borrows its Database. Parameters count from 1, columns from 0.
class Statement {
  public:
    Statement& bind(int index, std::string_view text);
    Statement& bind(int index, BytesView blob);
    Statement& bind(int index, std::int64_t value);
    Statement& bind_null(int index);

    // True: a row is there to be read. False: the statement is done. Reports a failed bind as well.
    Result<bool> step();
    // For statements without rows.
    Status run();

    std::string text(int column) const;
    Bytes blob(int column) const;
    std::int64_t integer(int column) const;
    bool is_null(int column) const;

  private:
    friend class Database;
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const;
    };
    Statement(sqlite3_stmt* statement, const std::string& file) : statement_(statement), file_(file) {}
    void note(int code);

    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
    std::string file_;  // for messages
    int bind_code_ = 0;
};

class Database {
  public:
    // The file must exist; an empty one is an empty database. Waits up to five seconds for other programs'
    // locks (a backup, the sqlite3 shell).
    static Result<Database> open(const std::filesystem::path& path);

    // One or more statements without parameters; rows are dropped.
    Status execute(const std::string& sql);
    Result<Statement> prepare(std::string_view sql);
    // The first column of the first row.
    Result<std::int64_t> query_integer(std::string_view sql);
    Result<std::string> query_text(std::string_view sql);

    // Rows that the last insert, update or delete touched.
    int changes() const;
    bool in_transaction() const;
    const std::string& file() const { return file_; }

  private:
    struct Close {
        void operator()(sqlite3* handle) const;
    };
    Database(sqlite3* handle, std::string file) : handle_(handle), file_(std::move(file)) {}

    std::unique_ptr<sqlite3, Close> handle_;
    std::string file_;
};

// Takes the write lock at once. Rolls back unless commit() succeeded.
class Transaction {
  public:
    static Result<Transaction> begin(Database& database);
    // Success means that the changes are on the disk.
    Status commit();

    Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
    Transaction& operator=(Transaction&&) = delete;
    ~Transaction();

  private:
    explicit Transaction(Database& database) : database_(&database) {}
    Database* database_;
};

}  // namespace tunnel::server::sqlite
