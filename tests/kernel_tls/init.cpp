// The first and only process that the guest starts by itself: loads kernel modules, brings loopback up, runs
// the commands it was given one after the other and ends the machine. Statically linked, so that the guest
// needs no shell and no library of its own.
//
// /guest/modules: paths of modules, one a line, in the order in which they are loaded.
// /guest/commands: one a line, words separated by tabs; leading NAME=VALUE words are its environment.
// The report goes to the second serial port, so that the kernel's own messages stay out of it:
//   @guest ready
//   @guest run N            (what follows is the command's output)
//   @guest end N STATUS     (its exit status, 128 + the signal that ended it, or 127 when it could not start)
//   @guest done

#include <fcntl.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace {

void complain(const std::string& what) {
    std::printf("@guest cannot %s: %s\n", what.c_str(), std::strerror(errno));
}

void mount_at(const char* type, const char* place) {
    ::mkdir(place, 0755);
    // The kernel may have mounted devtmpfs already.
    if (::mount(type, place, type, 0, nullptr) != 0 && errno != EBUSY)
        complain(std::string("mount ") + place);
}

// What is printed goes out byte by byte as it is: no carriage returns, no echo.
void use_second_serial_port() {
    const int null = ::open("/dev/null", O_RDONLY);
    const int port = ::open("/dev/ttyS1", O_RDWR | O_NOCTTY);
    if (null < 0 || port < 0) return;
    termios settings{};
    ::tcgetattr(port, &settings);
    ::cfmakeraw(&settings);
    ::cfsetspeed(&settings, B115200);
    ::tcsetattr(port, TCSANOW, &settings);
    ::dup2(null, STDIN_FILENO);
    ::dup2(port, STDOUT_FILENO);
    ::dup2(port, STDERR_FILENO);
    ::setvbuf(stdout, nullptr, _IOLBF, 0);
}

void load_modules() {
    std::ifstream list("/guest/modules");
    for (std::string path; std::getline(list, path);) {
        const int module = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (module < 0 || ::syscall(SYS_finit_module, module, "", 0) != 0) complain("load " + path);
        ::close(module);
    }
}

void bring_loopback_up() {
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (::ioctl(socket, SIOCSIFFLAGS, &request) != 0) complain("bring lo up");
    ::close(socket);
}

void allow_many_descriptors() {
    const rlimit limit{65536, 65536};
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) complain("raise RLIMIT_NOFILE");
}

[[noreturn]] void become(std::vector<std::string> words) {
    std::size_t first = 0;
    for (; first < words.size() && words[first].find('=') < words[first].find('/'); ++first) {
        ::putenv(words[first].data());
    }
    std::vector<char*> arguments;
    for (std::size_t i = first; i < words.size(); ++i) arguments.push_back(words[i].data());
    arguments.push_back(nullptr);
    if (arguments.front() != nullptr) ::execv(arguments.front(), arguments.data());
    complain("start it");
    std::fflush(stdout);
    ::_exit(127);
}

int run(const std::vector<std::string>& words) {
    const pid_t child = ::fork();
    if (child == 0) become(words);
    for (;;) {
        int status = 0;
        const pid_t ended = ::wait(&status);
        if (ended < 0 && errno != EINTR) return 127;
        if (ended != child) continue;  // orphans are this process's children, too
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }
}

void run_commands() {
    std::ifstream list("/guest/commands");
    int number = 0;
    for (std::string line; std::getline(list, line); ++number) {
        std::vector<std::string> words;
        std::istringstream text(line);
        for (std::string word; std::getline(text, word, '\t');) words.push_back(word);
        std::printf("@guest run %d\n", number);
        const int status = run(words);
        std::printf("\n@guest end %d %d\n", number, status);
    }
}

}  // namespace

int main() {
    mount_at("proc", "/proc");
    mount_at("sysfs", "/sys");
    mount_at("devtmpfs", "/dev");
    ::mkdir("/tmp", 0777);
    use_second_serial_port();
    load_modules();
    bring_loopback_up();
    allow_many_descriptors();
    ::setenv("HOME", "/tmp", 1);
    ::setenv("TERM", "dumb", 1);
    ::setenv("LC_ALL", "C", 1);
    std::printf("@guest ready\n");
    run_commands();
    std::printf("@guest done\n");
    ::tcdrain(STDOUT_FILENO);
    ::reboot(RB_AUTOBOOT);  // QEMU was told to end instead
}
