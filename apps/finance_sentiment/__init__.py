"""Finance sentiment: is this news good or bad for those who hold what it is about?"""
