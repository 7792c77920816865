#pragma once
// Maps TOML tables onto plain structs and collects every problem on the way: wrong types, values out of
// range, values that their parser refuses, unknown keys. toml++ stays behind this interface.
//
//     Document document = Document::parse(text, "server.toml");
//     Table root = document.root();
//     root.read("grace", config.grace, parse_duration);
//     Table log = root.table("log");
//     log.read("level", config.log.level, parse_log_level);
//     std::vector<Problem> problems = document.finish();
//
// A key that is missing leaves its struct member as it was: the struct's defaults are the config's defaults.
// Used by one thread; does no I/O.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/config/problem.hpp"
#include "common/core/result.hpp"

namespace tunnel::config {

// A value and where it stands in the file.
template <class T>
struct Located {
    T value{};
    Position at;
};

class Document;

// One table of a document, or the absence of one: reading from an absent table finds nothing and reports
// nothing. A cheap handle, valid as long as its Document.
class Table {
  public:
    bool present() const { return node_ != nullptr; }
    // Does the table hold `key`, of whatever type?
    bool has(std::string_view key) const;
    // Where the table begins: its header, or the file's first character for the root.
    Position position() const;
    // Where the value of `key` stands; the table's own position when the key is missing.
    Position position_of(std::string_view key) const;

    // Each read marks `key` as known. nullopt: missing, or refused and reported.
    std::optional<Located<std::string>> text(std::string_view key);
    std::optional<Located<std::vector<Located<std::string>>>> texts(std::string_view key);
    std::optional<Located<std::int64_t>> integer(std::string_view key, std::int64_t lowest,
                                                 std::int64_t highest);
    // A whole number, or a text in quotes, as text: for values such as 2222 and "6000-6010".
    std::optional<Located<std::string>> number_or_text(std::string_view key);
    std::optional<Located<bool>> boolean(std::string_view key);

    // A sub-table [key]; absent when the file has none.
    Table table(std::string_view key);
    // An array of tables [[key]], in the file's order.
    std::vector<Table> tables(std::string_view key);

    // text() into a string, bool or whole number. True when the file gave a good value.
    bool read(std::string_view key, std::string& out);
    bool read(std::string_view key, bool& out);
    template <class Number>
    bool read_number(std::string_view key, Number& out, std::int64_t lowest, std::int64_t highest) {
        static_assert(std::is_integral_v<Number>);
        const auto found = integer(key, lowest, highest);
        if (found) out = static_cast<Number>(found->value);
        return found.has_value();
    }

    // A text handed to `parse` (std::string_view -> Result<T>), whose error is reported at the value.
    template <class T, class Parse>
    bool read(std::string_view key, T& out, Parse&& parse) {
        const auto found = text(key);
        return found && take(key, *found, out, parse);
    }

    // A list of texts, each handed to `parse`; the list replaces `out`. Each bad element is a problem of its
    // own.
    template <class T, class Parse>
    bool read_list(std::string_view key, std::vector<T>& out, Parse&& parse) {
        const auto found = texts(key);
        if (!found) return false;
        std::vector<T> values;
        bool good = true;
        for (const auto& element : found->value) {
            T value{};
            if (take(key, element, value, parse))
                values.push_back(std::move(value));
            else
                good = false;
        }
        if (good) out = std::move(values);
        return good;
    }

    // A problem that only the caller can see: two values that contradict each other, a name used twice.
    void report(Position at, std::string message);
    // The same about the value of `key`; the message is prefixed with the key's full name.
    void report(std::string_view key, Position at, std::string_view message);

  private:
    friend class Document;
    struct Tree;
    Table(Tree* tree, const void* node, std::string path)
        : tree_(tree), node_(node), path_(std::move(path)) {}

    template <class T, class Parse>
    bool take(std::string_view key, const Located<std::string>& found, T& out, Parse&& parse) {
        auto value = parse(std::string_view(found.value));
        if (!value) {
            report(key, found.at, value.error().message);
            return false;
        }
        out = std::move(*value);
        return true;
    }
    std::string full_name(std::string_view key) const;
    const void* find(std::string_view key);
    void wrong_type(std::string_view key, const void* node, std::string_view wanted);

    Tree* tree_;
    const void* node_;  // the toml++ table, or null when absent
    std::string path_;  // "heartbeat"; empty for the root
};

class Document {
  public:
    // Never fails: a syntax error is the document's one problem, and its root is absent.
    // `file` only names the text in problems.
    static Document parse(std::string_view text, std::string file);
    Document(Document&&) noexcept;
    Document& operator=(Document&&) noexcept;
    // Wipes every text of the document, since one of them may be a join link.
    ~Document();

    Table root();

    // Call after the last read: reports the keys that nobody read (in the tables that were asked for), then
    // returns all problems sorted by position.
    std::vector<Problem> finish();

    // Dotted names ("heartbeat.interval", "mapping.name"), sorted, without doubles: the keys that were asked
    // for, and the keys that the text holds.
    std::vector<std::string> known_keys() const;
    std::vector<std::string> present_keys() const;

    // Where a top-level value stands in the text, as a half-open range of bytes; nullopt when it is missing.
    // For edits that keep every other byte of the file.
    struct ByteRange {
        std::size_t begin = 0;
        std::size_t end = 0;
    };
    std::optional<ByteRange> value_range(std::string_view key) const;

  private:
    explicit Document(std::unique_ptr<Table::Tree> tree);
    std::unique_ptr<Table::Tree> tree_;
};

}  // namespace tunnel::config
