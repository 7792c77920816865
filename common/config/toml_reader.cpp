#include "common/config/toml_reader.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <map>
#include <set>

#include "common/config/suggestion.hpp"
#include "common/core/secret.hpp"

namespace tunnel::config {

struct Table::Tree {
    struct Visit {
        std::string path;
        std::set<std::string, std::less<>> names;  // keys that were asked for
    };
    Tree() = default;
    Tree(const Tree&) = delete;
    Tree& operator=(const Tree&) = delete;
    ~Tree();

    std::string file;
    std::string text;
    toml::table root;
    bool parsed = false;
    std::vector<Problem> problems;
    std::map<const toml::table*, Visit> visits;
    std::set<std::string> known;  // dotted names of values
};

namespace {

void wipe_texts(toml::node& node) {
    if (auto* text = node.as_string()) wipe(text->get());
    if (auto* array = node.as_array()) {
        for (auto& element : *array) wipe_texts(element);
    }
    if (auto* table = node.as_table()) {
        for (auto&& [key, value] : *table) wipe_texts(value);
    }
}

Position position(const toml::source_position& at) {
    return {static_cast<unsigned>(at.line), static_cast<unsigned>(at.column)};
}

Position position(const toml::node& node) {
    return position(node.source().begin);
}

std::string_view type_name(const toml::node& node) {
    switch (node.type()) {
        case toml::node_type::table:
            return "a table";
        case toml::node_type::array:
            return node.is_array_of_tables() ? "a list of tables" : "a list";
        case toml::node_type::string:
            return "text";
        case toml::node_type::integer:
            return "a whole number";
        case toml::node_type::floating_point:
            return "a number with a point";
        case toml::node_type::boolean:
            return "true or false";
        default:
            return "a date or time";
    }
}

std::string dotted(std::string_view path, std::string_view key) {
    return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
}

void collect_keys(const toml::table& table, const std::string& path, std::set<std::string>& keys) {
    for (const auto& [key, value] : table) {
        const auto name = dotted(path, key.str());
        const auto* array = value.as_array();
        if (const auto* below = value.as_table()) {
            collect_keys(*below, name, keys);
        } else if (array != nullptr && value.is_array_of_tables()) {
            for (const auto& element : *array) collect_keys(*element.as_table(), name, keys);
        } else {
            keys.insert(name);
        }
    }
}

std::string syntax_message(std::string_view description) {
    std::string message(description);
    // What toml++ says about a bare word, which it takes for the beginning of true, false, inf or nan.
    for (const std::string_view sign : {"parsing boolean", "expected 'inf'", "expected 'nan'",
                                        "value-terminator", "could not determine value type"}) {
        if (description.find(sign) != std::string_view::npos) return message + "; text stands in quotes";
    }
    return message;
}

// The byte at which a position of toml++ stands: lines end in '\n', columns count code points.
std::size_t byte_offset(std::string_view text, const toml::source_position& at) {
    std::size_t offset = text.starts_with("\xef\xbb\xbf") ? 3 : 0;
    for (toml::source_index line = 1; line < at.line; ++line) {
        const auto end = text.find('\n', offset);
        if (end == std::string_view::npos) return text.size();
        offset = end + 1;
    }
    const auto continuation = [&](std::size_t i) {
        return i < text.size() && (static_cast<unsigned char>(text[i]) & 0xc0) == 0x80;
    };
    for (toml::source_index column = 1; column < at.column && offset < text.size(); ++column) {
        do {
            ++offset;
        } while (continuation(offset));
    }
    return offset;
}

}  // namespace

Table::Tree::~Tree() {
    wipe(text);
    wipe_texts(root);
}

std::string Table::full_name(std::string_view key) const {
    return dotted(path_, key);
}

bool Table::has(std::string_view key) const {
    return node_ != nullptr && static_cast<const toml::table*>(node_)->contains(key);
}

Position Table::position() const {
    if (node_ == nullptr || path_.empty()) return {1, 1};
    return config::position(*static_cast<const toml::table*>(node_));
}

Position Table::position_of(std::string_view key) const {
    if (node_ == nullptr) return position();
    const auto* child = static_cast<const toml::table*>(node_)->get(key);
    return child != nullptr ? config::position(*child) : position();
}

const void* Table::find(std::string_view key) {
    if (node_ == nullptr) return nullptr;
    const auto* table = static_cast<const toml::table*>(node_);
    tree_->visits[table].names.emplace(key);
    return table->get(key);
}

void Table::wrong_type(std::string_view key, const void* node, std::string_view wanted) {
    const auto& found = *static_cast<const toml::node*>(node);
    report(key, config::position(found), fmt::format("this is {}: write {}", type_name(found), wanted));
}

std::optional<Located<std::string>> Table::text(std::string_view key) {
    tree_->known.insert(full_name(key));
    const auto* node = static_cast<const toml::node*>(find(key));
    if (node == nullptr) return std::nullopt;
    if (const auto* text = node->as_string())
        return Located<std::string>{text->get(), config::position(*node)};
    wrong_type(key, node, "text in quotes");
    return std::nullopt;
}

std::optional<Located<std::vector<Located<std::string>>>> Table::texts(std::string_view key) {
    constexpr std::string_view wanted = "a list of texts, such as [\"one\", \"two\"]";
    tree_->known.insert(full_name(key));
    const auto* node = static_cast<const toml::node*>(find(key));
    if (node == nullptr) return std::nullopt;
    const auto* array = node->as_array();
    if (array == nullptr) {
        wrong_type(key, node, wanted);
        return std::nullopt;
    }
    Located<std::vector<Located<std::string>>> found{{}, config::position(*node)};
    bool good = true;
    for (const auto& element : *array) {
        if (const auto* text = element.as_string()) {
            found.value.push_back({text->get(), config::position(element)});
        } else {
            wrong_type(key, &element, "text in quotes");
            good = false;
        }
    }
    if (!good) return std::nullopt;
    return found;
}

std::optional<Located<std::int64_t>> Table::integer(std::string_view key, std::int64_t lowest,
                                                    std::int64_t highest) {
    tree_->known.insert(full_name(key));
    const auto* node = static_cast<const toml::node*>(find(key));
    if (node == nullptr) return std::nullopt;
    const auto* number = node->as_integer();
    if (number == nullptr) {
        wrong_type(key, node, fmt::format("a whole number from {} to {}", lowest, highest));
        return std::nullopt;
    }
    if (number->get() < lowest || number->get() > highest) {
        report(key, config::position(*node),
               fmt::format("{} is out of range: write {} to {}", number->get(), lowest, highest));
        return std::nullopt;
    }
    return Located<std::int64_t>{number->get(), config::position(*node)};
}

std::optional<Located<std::string>> Table::number_or_text(std::string_view key) {
    tree_->known.insert(full_name(key));
    const auto* node = static_cast<const toml::node*>(find(key));
    if (node == nullptr) return std::nullopt;
    if (const auto* number = node->as_integer())
        return Located<std::string>{fmt::format("{}", number->get()), config::position(*node)};
    if (const auto* text = node->as_string())
        return Located<std::string>{text->get(), config::position(*node)};
    wrong_type(key, node, "a whole number, or text in quotes");
    return std::nullopt;
}

std::optional<Located<bool>> Table::boolean(std::string_view key) {
    tree_->known.insert(full_name(key));
    const auto* node = static_cast<const toml::node*>(find(key));
    if (node == nullptr) return std::nullopt;
    if (const auto* value = node->as_boolean()) return Located<bool>{value->get(), config::position(*node)};
    wrong_type(key, node, "true or false, without quotes");
    return std::nullopt;
}

Table Table::table(std::string_view key) {
    Table absent(tree_, nullptr, full_name(key));
    const auto* node = static_cast<const toml::node*>(find(key));
    if (node == nullptr) return absent;
    if (const auto* table = node->as_table()) {
        tree_->visits[table].path = full_name(key);
        return {tree_, table, full_name(key)};
    }
    wrong_type(key, node, fmt::format("a table that begins with [{}]", full_name(key)));
    return absent;
}

std::vector<Table> Table::tables(std::string_view key) {
    std::vector<Table> found;
    const auto* node = static_cast<const toml::node*>(find(key));
    if (node == nullptr) return found;
    const auto wanted = fmt::format("[[{}]], in double brackets, above each", full_name(key));
    const auto* array = node->as_array();
    if (array == nullptr) {
        wrong_type(key, node, wanted);
        return found;
    }
    for (const auto& element : *array) {
        if (const auto* table = element.as_table()) {
            tree_->visits[table].path = full_name(key);
            found.push_back(Table(tree_, table, full_name(key)));
        } else {
            wrong_type(key, &element, wanted);
        }
    }
    return found;
}

bool Table::read(std::string_view key, std::string& out) {
    auto found = text(key);
    if (found) out = std::move(found->value);
    return found.has_value();
}

bool Table::read(std::string_view key, bool& out) {
    const auto found = boolean(key);
    if (found) out = found->value;
    return found.has_value();
}

void Table::report(Position at, std::string message) {
    tree_->problems.push_back({tree_->file, at.line, at.column, std::move(message)});
}

void Table::report(std::string_view key, Position at, std::string_view message) {
    report(at, fmt::format("{}: {}", full_name(key), message));
}

Document::Document(std::unique_ptr<Table::Tree> tree) : tree_(std::move(tree)) {}
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;
Document::~Document() = default;

Document Document::parse(std::string_view text, std::string file) {
    auto tree = std::make_unique<Table::Tree>();
    tree->file = std::move(file);
    tree->text = text;
    try {
        tree->root = toml::parse(text);
        tree->parsed = true;
    } catch (const toml::parse_error& error) {
        const auto at = position(error.source().begin);
        tree->problems.push_back({tree->file, at.line, at.column, syntax_message(error.description())});
    }
    return Document(std::move(tree));
}

Table Document::root() {
    if (!tree_->parsed) return {tree_.get(), nullptr, ""};
    tree_->visits.try_emplace(&tree_->root);
    return {tree_.get(), &tree_->root, ""};
}

std::vector<Problem> Document::finish() {
    for (const auto& [table, visit] : tree_->visits) {
        for (const auto& [key, value] : *table) {
            if (visit.names.contains(key.str())) continue;
            const auto at = position(key.source().begin);
            tree_->problems.push_back(
                {tree_->file, at.line, at.column,
                 unknown_key_message(visit.path, key.str(), visit.names, tree_->known)});
        }
    }
    // A second call must not report the unknown keys again.
    tree_->visits.clear();
    auto& problems = tree_->problems;
    std::stable_sort(problems.begin(), problems.end(), [](const Problem& a, const Problem& b) {
        return std::pair(a.line, a.column) < std::pair(b.line, b.column);
    });
    return problems;
}

std::vector<std::string> Document::known_keys() const {
    return {tree_->known.begin(), tree_->known.end()};
}

std::vector<std::string> Document::present_keys() const {
    std::set<std::string> keys;
    collect_keys(tree_->root, "", keys);
    return {keys.begin(), keys.end()};
}

std::optional<Document::ByteRange> Document::value_range(std::string_view key) const {
    const auto* node = tree_->root.get(key);
    if (node == nullptr) return std::nullopt;
    return ByteRange{byte_offset(tree_->text, node->source().begin),
                     byte_offset(tree_->text, node->source().end)};
}

}  // namespace tunnel::config
