#include "common/wire/http_connect.hpp"

#include "common/core/base64.hpp"

namespace tunnel::wire {

namespace {

Status refused_login(const HttpResponse& response, bool with_login) {
    // Some answer a wrong password as a web server would, with 401 and WWW-Authenticate.
    bool basic = response.status != 407;
    for (const auto& field : response.fields.all) {
        // Of a scheme's parameters nothing is wanted.
        const HttpFields one{{{field.name, field.value.substr(0, field.value.find(' '))}}};
        basic = basic || one.lists("Proxy-Authenticate", "Basic");
    }
    if (!basic)
        return fail(
            Errc::unauthenticated,
            "it asks for a login of a kind other than Basic (HTTP 407): put a helper such as cntlm in "
            "between, or use another proxy");
    if (with_login)
        return fail(Errc::unauthenticated,
                    "it does not accept the user and password (HTTP {}): check them in the proxy's URL",
                    response.status);
    return fail(Errc::unauthenticated,
                "it asks for a user and password (HTTP {}): write them into the proxy's URL, "
                "http://USER:PASSWORD@HOST:PORT",
                response.status);
}

}  // namespace

Secret connect_request(const HostPort& target, std::string_view user, const Secret& password) {
    const auto to = to_string(target);
    auto text = fmt::format("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n", to);
    std::string credentials;
    if (!user.empty()) {
        std::string login;
        login.reserve(user.size() + 1 + password.size());
        login.append(user).append(":").append(text_of(password.reveal()));
        credentials = base64_encode(view_of(login));
        wipe(login);
    }
    std::string whole;
    whole.reserve(text.size() + credentials.size() + 40);
    whole.append(text);
    if (!credentials.empty()) whole.append("Proxy-Authorization: Basic ").append(credentials).append("\r\n");
    whole.append("\r\n");
    Secret request(view_of(whole));
    wipe(credentials);
    wipe(whole);
    return request;
}

Status judge_connect_response(const HttpResponse& response, const HostPort& target, bool with_login) {
    const auto to = to_string(target);
    switch (response.status) {
        case 200:
            return {};
        case 401:
        case 407:
            return refused_login(response, with_login);
        case 403:
            return fail(
                Errc::not_allowed,
                "its rules forbid {} (HTTP {}): many proxies let only port 443 through; have tunnel-server "
                "listen there too and name that address in `servers`",
                to, response.status);
        case 400:
        case 405:
        case 501:
            return fail(Errc::not_allowed, "it does not do CONNECT to {} (HTTP {}): is this a proxy at all?",
                        to, response.status);
        case 502:
        case 503:
        case 504:
            return fail(
                Errc::unavailable,
                "it cannot reach {} (HTTP {}): is the server running, is its tunnel port open, and does the "
                "proxy resolve its name?",
                to, response.status);
        default:
            // Other than 200 a tunnel may begin with any 2xx.
            if (response.status / 100 == 2) return {};
            return fail(Errc::unavailable, "it refused {} with HTTP {} {}: ask who runs it", to,
                        response.status, response.reason);
    }
}

}  // namespace tunnel::wire
