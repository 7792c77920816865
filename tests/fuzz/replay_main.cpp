// Runs a fuzz target without libFuzzer: every file it is given, and a fixed number of mutations of each.
//
//   fuzz_NAME [--mutations N] [--seed S] FILE_OR_FOLDER...
//
// An input that ends the program is written to crash-NAME in the current folder first.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/fuzz/mutator.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
// Of the sanitizers' run-time library, where there is one: called before they end the program.
extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

namespace {

using tunnel::Bytes;

// Signal handlers get no arguments, so what they need stands here.
struct Running {
    const Bytes* input = nullptr;
    std::string crash_file;
} running;

void save_input() {
    if (running.input == nullptr) return;
    const int fd = ::open(running.crash_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) return;
    const auto written = ::write(fd, running.input->data(), running.input->size());
    ::close(fd);
    constexpr char note[] = "the input is saved as ";
    if (written < 0 || ::write(2, note, sizeof note - 1) < 0) return;
    if (::write(2, running.crash_file.data(), running.crash_file.size()) >= 0) (void)!::write(2, "\n", 1);
}

void on_signal(int number) {
    save_input();
    std::signal(number, SIG_DFL);
    (void)std::raise(number);
}

void run(const Bytes& input) {
    // A copy of its own, so that AddressSanitizer sees the first byte read beyond its end.
    const Bytes exact(input);
    running.input = &exact;
    (void)LLVMFuzzerTestOneInput(exact.data(), exact.size());
    running.input = nullptr;
}

bool read_inputs(const std::filesystem::path& path, std::vector<Bytes>& out) {
    std::vector<std::filesystem::path> files;
    if (std::filesystem::is_directory(path)) {
        for (const auto& entry : std::filesystem::directory_iterator(path))
            if (entry.is_regular_file()) files.push_back(entry.path());
        std::sort(files.begin(), files.end());
    } else {
        files.push_back(path);
    }
    for (const auto& file : files) {
        std::ifstream in(file, std::ios::binary);
        if (!in) {
            std::fprintf(stderr, "cannot read %s\n", file.c_str());
            return false;
        }
        out.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    }
    return true;
}

std::uint64_t number_or_exit(const std::string& text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size()) return value;
    std::fprintf(stderr, "\"%s\" is not a number\n", text.c_str());
    std::exit(2);
}

}  // namespace

int main(int argc, char** argv) {
    std::uint64_t mutations = 0;
    std::uint64_t seed = 1;
    std::vector<Bytes> corpus;
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const bool has_value = i + 1 < arguments.size();
        if (arguments[i] == "--mutations" && has_value)
            mutations = number_or_exit(arguments[++i]);
        else if (arguments[i] == "--seed" && has_value)
            seed = number_or_exit(arguments[++i]);
        else if (!read_inputs(arguments[i], corpus))
            return 1;
    }
    if (corpus.empty()) {
        std::fprintf(stderr, "no inputs: name the files or folders to replay\n");
        return 2;
    }

    running.crash_file = "crash-" + std::filesystem::path(argv[0]).filename().string();
    if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(save_input);
    for (const int number : {SIGABRT, SIGFPE, SIGILL, SIGALRM}) std::signal(number, on_signal);
    if (__sanitizer_set_death_callback == nullptr)
        for (const int number : {SIGSEGV, SIGBUS}) std::signal(number, on_signal);

    std::printf("%zu inputs, %llu mutations of each, seed %llu\n", corpus.size(),
                static_cast<unsigned long long>(mutations), static_cast<unsigned long long>(seed));
    std::fflush(stdout);
    tunnel::fuzz::Mutator mutator(seed, corpus);
    run({});
    for (const auto& input : corpus) {
        run(input);
        for (std::uint64_t i = 0; i < mutations; ++i) run(mutator.mutate(input));
    }
    return 0;
}
