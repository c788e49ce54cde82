// Threads that go through the same function side by side and wait for each other where they must.
#pragma once

#include <atomic>
#include <barrier>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

namespace crf {

class Team {
  public:
    explicit Team(int size) : size_(size) {}
    int size() const { return size_; }
    void wait() {
        if (size_ > 1) barrier_->arrive_and_wait();
    }
    // work(member), which must not throw. Where the system has no more threads, the team is smaller.
    template <class Work> void run(Work&& work) {
        std::atomic<bool> complete{false};
        std::vector<std::thread> others;
        others.reserve(size_);
        try {
            for (int member = 1; member < size_; member++)
                others.emplace_back([&work, &complete, member] {
                    complete.wait(false);
                    work(member);
                });
        } catch (const std::system_error&) {
            size_ = int(others.size()) + 1;
        }
        barrier_.emplace(size_);
        complete = true;
        complete.notify_all();
        work(0);
        for (auto& thread : others) thread.join();
    }

  private:
    int size_;
    std::optional<std::barrier<>> barrier_;
};

}  // namespace crf
