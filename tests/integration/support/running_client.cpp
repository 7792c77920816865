#include "tests/integration/support/running_client.hpp"

#include <stdexcept>

#include "common/config/files.hpp"
#include "tests/integration/support/kernel_tls_line.hpp"
#include "tests/integration/support/waiting.hpp"

namespace tunnel::test {

namespace {

Result<client::ClientConfig> load(const std::string& file) {
    auto config = client::load_client_config({file});
    if (!config) return pass(config::to_error(config.error()));
    return std::move(*config);
}

template <class T>
T must(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().message);
    return std::move(*result);
}

}  // namespace

RunningClient::RunningClient(std::filesystem::path file, const std::string& link, const std::string& config,
                             LogBook& logs, const std::string& slot)
    : file_(std::move(file)), link_(link) {
    write_config(config);
    client::Client::Events events;
    events.on_states = [this](const std::vector<wire::MappingState>& states) {
        const std::lock_guard lock(mutex_);
        states_.clear();
        for (const auto& state : states) states_[state.name] = state;
    };
    auto reload = [path = file_.string()] { return load(path); };
    client_ = must(client::Client::make(must(load(file_.string())), slot,
                                        slot.empty() ? client::Stay::resident : client::Stay::temporary,
                                        logs.log(file_.stem().string()), reload, std::move(events)));
    thread_ = std::thread([this] {
        auto ended = client_->run();
        const std::lock_guard lock(mutex_);
        if (!ended) failure_ = std::move(ended.error());
        stopped_ = true;
    });
}

RunningClient::~RunningClient() {
    client_->request_stop();
    client_->request_stop();
    thread_.join();
}

wire::MappingState RunningClient::state(const std::string& mapping) const {
    const std::lock_guard lock(mutex_);
    const auto found = states_.find(mapping);
    return found == states_.end() ? wire::MappingState() : found->second;
}

Port RunningClient::listening(const std::string& mapping) const {
    wire::MappingState last;
    const bool listens = eventually([&] {
        last = state(mapping);
        return last.state == "listening";
    });
    return listens ? last.port : Port(0);
}

void RunningClient::write_link(const std::string& link, const std::string& config) const {
    const auto text = "link = \"" + link + "\"\nworkers = 2\n" + kernel_tls_line() + config;
    if (auto ok = config::write_private_file(file_.string(), text, config::Overwrite::yes); !ok)
        throw std::runtime_error(ok.error().message);
}

std::optional<Error> RunningClient::failure() const {
    const std::lock_guard lock(mutex_);
    return failure_;
}

std::string mapping_toml(const std::string& name, const std::string& service, bool encrypt, Port port) {
    return "[[mapping]]\nname = \"" + name + "\"\ntcp = " + std::to_string(port) + "\nto = \"" + service +
           "\"\nencrypt = " + (encrypt ? "true" : "false") + "\n";
}

}  // namespace tunnel::test
