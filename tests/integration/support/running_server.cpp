#include "tests/integration/support/running_server.hpp"

#include <future>
#include <stdexcept>

#include "common/config/files.hpp"
#include "tests/integration/support/kernel_tls_line.hpp"
#include "tests/integration/support/peer.hpp"
#include "tests/integration/support/waiting.hpp"
#include "tunnel-server/init.hpp"
#include "tunnel-server/tunnelctl/admin_client.hpp"

namespace tunnel::test {

namespace {

// What the options leave out.
std::string with_defaults(const std::string& options, Port port) {
    std::string text = "workers = 2\n";
    for (const auto& line :
         {std::string("public_host = \"127.0.0.1\""), std::string("bind = [\"127.0.0.1\"]"),
          "listen = [\"127.0.0.1:" + std::to_string(port) + "\"]"}) {
        const auto key = line.substr(0, line.find(' '));
        if (options.find(key + " =") == std::string::npos) text += line + "\n";
    }
    return kernel_tls_line() + text + options;
}

Result<server::ServerConfig> load(const config::ServerPaths& paths) {
    auto config = server::load_server_config(paths);
    if (!config) return pass(config::to_error(config.error()));
    return std::move(*config);
}

template <class T>
T must(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().message);
    return std::move(*result);
}

}  // namespace

RunningServer::RunningServer(const std::filesystem::path& folder, const std::string& options, LogBook& logs)
    : port_(free_row(1).first) {
    paths_ = must(config::server_paths(config::path_options_of_process(folder.string(), std::nullopt)));
    if (auto ok = server::initialize(paths_, {"127.0.0.1", {{"127.0.0.1", 0}}});
        !ok && ok.error().code != Errc::exists)
        throw std::runtime_error(ok.error().message);
    write_config(options);
    auto reload = [paths = paths_] { return load(paths); };
    server_ = must(server::Server::make(must(load(paths_)), logs.log("server"), reload));
    std::promise<void> ready;
    thread_ = std::thread([this, &ready] {
        server_->run([&ready] { ready.set_value(); });
        stopped_ = true;
    });
    ready.get_future().wait();
}

RunningServer::~RunningServer() {
    server_->request_stop();
    server_->request_stop();
    thread_.join();
}

void RunningServer::write_config(const std::string& options) const {
    if (auto ok =
            config::write_private_file(paths_.config, with_defaults(options, port_), config::Overwrite::yes);
        !ok)
        throw std::runtime_error(ok.error().message);
}

proto::AdminResponse RunningServer::ask(const proto::AdminRequest& request) const {
    auto admin = must(ctl::AdminClient::connect(paths_.admin_socket, patience));
    return must(admin.call(request));
}

}  // namespace tunnel::test
