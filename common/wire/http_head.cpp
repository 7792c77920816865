#include "common/wire/http_head.hpp"

#include <algorithm>
#include <charconv>

namespace tunnel::wire {

namespace {

constexpr std::string_view version_prefix = "HTTP/1.";
constexpr std::string_view white = " \t";

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_word(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(white);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(white) - first + 1);
}

// RFC 9110 section 5.6.2.
bool is_token(std::string_view text) {
    constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
    const auto fits = [&](char c) {
        return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') ||
               marks.find(c) != std::string_view::npos;
    };
    return !text.empty() && std::all_of(text.begin(), text.end(), fits);
}

// RFC 9110 section 5.5: what a field's value or a reason may hold; bytes beyond ASCII are let through.
bool is_value(std::string_view text) {
    return std::none_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte < 0x20 && c != '\t') || byte == 0x7f;
    });
}

bool is_target(std::string_view text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

bool is_version(std::string_view text) {
    return text.size() == version_prefix.size() + 1 && text.starts_with(version_prefix) &&
           (text.back() == '0' || text.back() == '1');
}

tl::unexpected<Error> not_http(std::string_view what) {
    return fail(Errc::protocol, "the other end does not speak HTTP/1.1: {}", what);
}

// Takes the next line off `rest`, without its end; RFC 9112 section 2.2 lets a lone LF end it, too.
std::string_view take_line(std::string_view& rest) {
    const auto end = rest.find('\n');
    auto line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

Result<HttpFields> parse_fields(std::string_view rest) {
    HttpFields fields;
    for (;;) {
        const auto line = take_line(rest);
        if (line.empty()) break;
        if (fields.all.size() == max_http_fields)
            return fail(Errc::limit, "an HTTP head has more than {} fields", max_http_fields);
        const auto colon = line.find(':');
        if (colon == std::string_view::npos || !is_token(line.substr(0, colon)))
            return not_http("a line of its head is no field");
        const auto value = trimmed(line.substr(colon + 1));
        if (!is_value(value)) return not_http("a field of its head holds a control character");
        fields.all.push_back({std::string(line.substr(0, colon)), std::string(value)});
    }
    if (!rest.empty()) return not_http("bytes follow its head");
    return fields;
}

void append_fields(std::string& out, const HttpFields& fields) {
    for (const auto& field : fields.all)
        out.append(field.name).append(": ").append(field.value).append("\r\n");
    out.append("\r\n");
}

}  // namespace

std::optional<std::string_view> HttpFields::find(std::string_view name) const {
    for (const auto& field : all) {
        if (same_word(field.name, name)) return field.value;
    }
    return std::nullopt;
}

bool HttpFields::lists(std::string_view name, std::string_view element) const {
    for (const auto& field : all) {
        if (!same_word(field.name, name)) continue;
        for (std::string_view rest = field.value; !rest.empty();) {
            const auto comma = rest.find(',');
            if (same_word(trimmed(rest.substr(0, comma)), element)) return true;
            rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
        }
    }
    return false;
}

Result<std::optional<std::size_t>> http_head_size(BytesView bytes) {
    const auto text = text_of(bytes.first(std::min(bytes.size(), max_http_head)));
    for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n', end + 1)) {
        const auto rest = text.substr(end + 1);
        if (rest.starts_with('\n')) return end + 2;
        if (rest.starts_with("\r\n")) return end + 3;
    }
    if (bytes.size() >= max_http_head)
        return fail(Errc::limit, "an HTTP head has more than {} bytes", max_http_head);
    return std::nullopt;
}

Result<HttpRequest> parse_http_request(BytesView head) {
    auto rest = text_of(head);
    const auto line = take_line(rest);
    const auto first = line.find(' ');
    const auto last = line.rfind(' ');
    if (first == std::string_view::npos || first == last || !is_version(line.substr(last + 1)))
        return not_http("its first line is no request");
    HttpRequest request{
        std::string(line.substr(0, first)), std::string(line.substr(first + 1, last - first - 1)), {}};
    if (!is_token(request.method) || !is_target(request.target))
        return not_http("its first line is no request");
    auto fields = parse_fields(rest);
    if (!fields) return pass(std::move(fields.error()));
    request.fields = std::move(*fields);
    return request;
}

Result<HttpResponse> parse_http_response(BytesView head) {
    auto rest = text_of(head);
    const auto line = take_line(rest);
    constexpr std::size_t status_at = version_prefix.size() + 2;
    constexpr std::size_t status_size = 3;
    const auto reason_at = status_at + status_size;
    HttpResponse response;
    if (line.size() < reason_at || !is_version(line.substr(0, status_at - 1)) || line[status_at - 1] != ' ' ||
        (line.size() > reason_at && line[reason_at] != ' '))
        return not_http("its first line is no answer");
    const auto* const digits = line.data() + status_at;
    const auto [end, error] = std::from_chars(digits, digits + status_size, response.status);
    if (error != std::errc() || end != digits + status_size || response.status < 100)
        return not_http("its first line has no status");
    response.reason = trimmed(line.substr(reason_at));
    if (!is_value(response.reason)) return not_http("its first line holds a control character");
    auto fields = parse_fields(rest);
    if (!fields) return pass(std::move(fields.error()));
    response.fields = std::move(*fields);
    return response;
}

std::string to_text(const HttpRequest& request) {
    auto out = fmt::format("{} {} HTTP/1.1\r\n", request.method, request.target);
    append_fields(out, request.fields);
    return out;
}

std::string to_text(const HttpResponse& response) {
    auto out = fmt::format("HTTP/1.1 {} {}\r\n", response.status, response.reason);
    append_fields(out, response.fields);
    return out;
}

}  // namespace tunnel::wire
