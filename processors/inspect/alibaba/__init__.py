"""Rules of Alibaba's 智能对话分析 (SCA) in, rules of this language out. Pure: text in, text and notes out."""
